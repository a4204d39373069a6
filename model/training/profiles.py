"""Everything about a training that is not the data: sizes, stages, schedule; by name or from a JSON file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Self, get_args

from pydantic import PositiveInt, model_validator

from model.networks.autoencoder import AutoencoderSize, AutoencoderWeights
from model.networks.build_networks import Pretrained, SpeechSize, UNetSize
from model.networks.noise_schedule import NoiseSettings
from model.samples.sample_order import MixSettings
from model.samples.training_set import WindowLength
from model.settings import Record, Settings
from model.training.masks import MaskSettings
from model.training.stages import (
    PAPER_INPAINT,
    PAPER_JOINT,
    PAPER_MOTION,
    InpaintSettings,
    MotionSettings,
    StageSettings,
)
from model.training.trainer_settings import FREE, SHARING, TrainerSettings
from model.training.training_step import LossSettings

StageName = Literal["autoencoder", "joint", "inpaint", "motion"]


class AutoencoderTraining(Record):
    """Stage 0: the small VAE."""

    trainer: TrainerSettings
    """Steps, batch, rate and the rest of the loop."""
    size: AutoencoderSize = AutoencoderSize()
    """Of the network and of the pictures."""
    weights: AutoencoderWeights = AutoencoderWeights()
    """Of the loss."""
    mix: MixSettings = MixSettings(studio_share=0.5)
    """Studio captures against wild clips."""


class Profile(Settings):
    """A complete training."""

    networks: UNetSize | Pretrained
    """Random networks of this size, or where the pretrained ones are."""
    autoencoder: AutoencoderTraining | None
    """The VAE that is trained first; None = the pretrained one."""
    side_px: PositiveInt
    """Height and width of the pictures."""
    encode_on: Literal["cpu", "cuda"] = "cpu"
    """Where the VAE encodes the clips' latents; the last bits differ."""
    noise: NoiseSettings = NoiseSettings()
    """One schedule for all stages and for sampling."""
    speech: SpeechSize = SpeechSize()
    """Of the speech adapter."""
    joint: StageSettings
    """Stage 1."""
    inpaint: InpaintSettings
    """Stage 2."""
    motion: MotionSettings
    """Stage 3."""
    shortened: bool = False
    """Too short to learn much: pages say that profile small gives better pictures."""

    @model_validator(mode="after")
    def _has_a_vae(self) -> Self:
        if self.autoencoder is None and isinstance(self.networks, UNetSize):
            raise ValueError("networks without pretrained weights need an autoencoder that is trained")
        if self.autoencoder is not None and self.autoencoder.size.side_px != self.side_px:
            raise ValueError(
                f"pictures of {self.side_px} px, the VAE is trained on {self.autoencoder.size.side_px} px; "
                "make them equal"
            )
        return self

    def stages(self, wanted: StageName | Literal["all"]) -> tuple[StageName, ...]:
        """The stages to train for one, with the VAE where it is trained, or all of them in their order.

        Raises:
            ValueError: the VAE is wanted and comes pretrained.
        """
        first: tuple[StageName, ...] = () if self.autoencoder is None else ("autoencoder",)
        if wanted == "all":
            return (*first, "joint", "inpaint", "motion")
        if wanted == "autoencoder" and not first:
            raise ValueError("stage autoencoder: this profile's VAE comes pretrained; take another stage")
        return tuple(dict.fromkeys((*first, wanted)))

    def recorded(self) -> dict[str, Any]:
        """What a training is bound to, as JSON: all but what may change on the way (FREE, SHARING)."""
        free = {"trainer": FREE | SHARING}
        return self.model_dump(mode="json", exclude=dict.fromkeys(get_args(StageName), free))

    @property
    def untrained(self) -> str | None:
        """What it lacks of the paper, in words for pages and records."""
        if isinstance(self.networks, Pretrained):
            return None
        small = (
            f"Small networks at {self.side_px} px, trained from nothing on this version alone: they show how "
            "much can be learnt here, not what the paper's networks can."
        )
        short = " This training was shortened: pictures look better after profile small."
        return f"{small}{short}" if self.shortened else small


def _small_trainer(*, steps: int, batch: int, rate: float) -> TrainerSettings:
    return TrainerSettings(
        steps=steps,
        global_batch=batch,
        learning_rate=rate,
        warmup_steps=max(steps // 20, 1),
        lr_schedule="cosine",
        betas=(0.9, 0.99),
        weight_decay=0.0,
        ema_decay=0.995,
        # one: two wait for each other wherever something else runs, and sums depend on their number
        threads=1,
        checkpoint_every=max(steps // 5, 50),
        log_every=20,
        validate_every=max(steps // 4, 50),
    )


def _from_nothing(*, autoencoder: int, joint: int, inpaint: int, motion: int) -> Profile:
    """Trained from nothing on CPU, with so many steps a stage."""
    half = MixSettings(studio_share=0.5)
    vae_trainer = _small_trainer(steps=autoencoder, batch=2, rate=2e-3)
    return Profile(
        networks=UNetSize(),
        autoencoder=AutoencoderTraining(
            trainer=vae_trainer.model_copy(
                update={"betas": (0.9, 0.95), "ema_decay": None, "validate_every": None}
            )
        ),
        side_px=64,
        # one short training: velocity at zero SNR is a regression where the noise is strongest
        noise=NoiseSettings(prediction="v_prediction", zero_snr=True),
        speech=SpeechSize(hidden_width=64, tokens=4),
        joint=StageSettings(trainer=_small_trainer(steps=joint, batch=16, rate=1e-3), mix=half),
        inpaint=InpaintSettings(
            trainer=_small_trainer(steps=inpaint, batch=16, rate=1e-3),
            mix=half,
            masks=MaskSettings(joint=0.25, image_to_depth=0.45, depth_to_image=0.15, regions=0.15),
        ),
        motion=MotionSettings(
            trainer=_small_trainer(steps=motion, batch=1, rate=5e-4),
            length=WindowLength(),
            loss=LossSettings(),
        ),
    )


def small() -> Profile:
    """For two CPU cores: VAE and three stages in half an hour."""
    return _from_nothing(autoencoder=1000, joint=1000, inpaint=2400, motion=300)


def demo() -> Profile:
    """A shortened small, for `make demo`: it shows that all parts work together, not what they can learn."""
    short = _from_nothing(autoencoder=400, joint=400, inpaint=700, motion=60)
    return short.model_copy(update={"shortened": True})


def paper() -> Profile:
    """The paper's, from Stable Diffusion 1.5 and AnimateDiff: 512 px, on GPUs."""
    return Profile(
        networks=Pretrained(),
        autoencoder=None,
        side_px=512,
        encode_on="cuda",
        joint=PAPER_JOINT,
        inpaint=PAPER_INPAINT,
        motion=PAPER_MOTION.model_copy(update={"zero_output": False}),
    )


PROFILES: dict[str, Callable[[], Profile]] = {"small": small, "demo": demo, "paper": paper}


def find_profile(name: str) -> Profile:
    """A profile by its name, or from a JSON file.

    Raises:
        ValueError: there is neither, or the file is no profile.
    """
    if name in PROFILES:
        return PROFILES[name]()
    if not Path(name).is_file():
        raise ValueError(
            f"profile {name!r}: take one of {', '.join(PROFILES)}, or a JSON file with a profile"
        )
    return Profile.model_validate_json(Path(name).read_bytes())
