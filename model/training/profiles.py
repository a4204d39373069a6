"""Profiles: everything about a training except its data, by name or from a JSON file (paper 5.1, 7.2)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Self, get_args

from pydantic import PositiveInt, model_validator

from model.networks.build_networks import Pretrained, SpeechSize, UNetSize
from model.networks.noise_schedule import NoiseSettings
from model.samples.sample_order import MixSettings
from model.settings import Settings
from model.training.autoencoder_step import AutoencoderTraining
from model.training.image_step import DiffusionStageSettings, InpaintSettings
from model.training.masks import MaskSettings
from model.training.motion_step import MotionSettings
from model.training.trainer_settings import FREE, SHARING, TrainerSettings

DiffusionStage = Literal["joint", "inpaint", "motion"]
"""Stages that train on cached latents, in their order; each is a field of a profile."""
StageName = Literal["autoencoder", DiffusionStage]
"""All training stages, in their order (tasks/training/stages.py says what each does)."""


class Profile(Settings):
    """A complete training."""

    networks: UNetSize | Pretrained
    """Size of random networks, or the place of pretrained ones."""
    autoencoder: AutoencoderTraining | None
    """Stage 0, which trains a VAE; None = the VAE comes pretrained."""
    side_px: PositiveInt
    """Height and width of the pictures."""
    encode_on: Literal["cpu", "cuda"] = "cpu"
    """Device on which the VAE encodes clips; results differ in their last bits."""
    noise: NoiseSettings = NoiseSettings()
    """Noise schedule of all stages and of sampling."""
    speech: SpeechSize = SpeechSize()
    """Size of the speech adapter."""
    joint: DiffusionStageSettings
    """Stage 1: joint learning of RGB and depth."""
    inpaint: InpaintSettings
    """Stage 2: inpainting."""
    motion: MotionSettings
    """Stage 3: video."""
    shortened: bool = False
    """Mark a training as too short to learn much: pages then point to profile small."""

    @model_validator(mode="after")
    def _has_a_vae(self) -> Self:
        if self.autoencoder is None and isinstance(self.networks, UNetSize):
            raise ValueError(
                "networks have no pretrained weights and there is no autoencoder stage; add the stage, or "
                "take pretrained networks"
            )
        if self.autoencoder is not None and self.autoencoder.size.side_px != self.side_px:
            raise ValueError(
                f"side_px is {self.side_px}, but the VAE is trained on {self.autoencoder.size.side_px} px; "
                "make them equal"
            )
        return self

    def stages(self, wanted: StageName | Literal["all"]) -> tuple[StageName, ...]:
        """Stages to train for `wanted`, in order: the VAE where it is not pretrained, then the stage or all.

        Raises:
            ValueError: the VAE is wanted and comes pretrained.
        """
        trained = tuple(stage for stage in get_args(StageName) if getattr(self, stage) is not None)
        if wanted == "all":
            return trained
        if wanted not in trained:
            raise ValueError(f"stage {wanted}: this profile's VAE comes pretrained; take another stage")
        # all stages after it read the VAE's latents
        return tuple(stage for stage in trained if stage in ("autoencoder", wanted))

    def trainer(self, stage: StageName) -> TrainerSettings:
        """Settings of a stage's training loop."""
        trainer: TrainerSettings = getattr(self, stage).trainer
        return trainer

    def recorded(self) -> dict[str, Any]:
        """What a training is bound to, as JSON: all settings but those that may change (FREE, SHARING)."""
        free = {"trainer": FREE | SHARING}
        return self.model_dump(mode="json", exclude=dict.fromkeys(get_args(StageName), free))

    @property
    def untrained(self) -> str | None:
        """What this training lacks beside the paper's, in words for pages and records; None = nothing."""
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
        # several threads wait for each other on a busy machine, and sums depend on their number
        threads=1,
        checkpoint_every=max(steps // 5, 50),
        log_every=20,
        validate_every=max(steps // 4, 50),
    )


def _from_nothing(*, autoencoder: int, joint: int, inpaint: int, motion: int) -> Profile:
    """A training from nothing on a CPU, with these numbers of steps."""
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
        # In a short training the first step of sampling decides most: with v-prediction (Salimans and Ho
        # 2022, arXiv 2202.00512) at zero terminal SNR (Lin et al. 2023, arXiv 2305.08891) it is a regression.
        noise=NoiseSettings(prediction="v_prediction", zero_snr=True),
        speech=SpeechSize(hidden_width=64, tokens=4),
        joint=DiffusionStageSettings(trainer=_small_trainer(steps=joint, batch=16, rate=1e-3), mix=half),
        inpaint=InpaintSettings(
            trainer=_small_trainer(steps=inpaint, batch=16, rate=1e-3),
            mix=half,
            masks=MaskSettings(joint=0.25, image_to_depth=0.45, depth_to_image=0.15, regions=0.15),
        ),
        motion=MotionSettings(
            trainer=_small_trainer(steps=motion, batch=1, rate=5e-4),
        ),
    )


def small() -> Profile:
    """VAE and three stages in half an hour on two CPU cores."""
    return _from_nothing(autoencoder=1000, joint=1000, inpaint=2400, motion=300)


def demo() -> Profile:
    """Profile small with fewer steps, for `make demo`: it shows that all parts work, not how well."""
    short = _from_nothing(autoencoder=400, joint=400, inpaint=700, motion=60)
    return short.model_copy(update={"shortened": True})


def _paper_trainer(*, steps: int, batch: int) -> TrainerSettings:
    return TrainerSettings(
        steps=steps,
        global_batch=batch,
        learning_rate=1e-5,
        mixed_precision="bf16",
        # samples are read while the GPU works
        loader_workers=4,
        validate_every=1000,
    )


def paper() -> Profile:
    """The paper's training, from Stable Diffusion 1.5 and AnimateDiff: 512 px, on GPUs."""
    return Profile(
        networks=Pretrained(),
        autoencoder=None,
        side_px=512,
        encode_on="cuda",
        joint=DiffusionStageSettings(trainer=_paper_trainer(steps=30_000, batch=32)),
        # The paper states no steps: 15 hours at the joint stage's pace of 30,000 steps in 3 days.
        inpaint=InpaintSettings(trainer=_paper_trainer(steps=6_250, batch=32)),
        # The paper states no steps here either.
        motion=MotionSettings(trainer=_paper_trainer(steps=30_000, batch=1), zero_output=False),
    )


PROFILES: dict[str, Callable[[], Profile]] = {"small": small, "demo": demo, "paper": paper}


def find_profile(name: str) -> Profile:
    """Find a profile by its name, or read it from a JSON file.

    Raises:
        ValueError: no such name or file, or the file holds no profile.
    """
    if name in PROFILES:
        return PROFILES[name]()
    if not Path(name).is_file():
        raise ValueError(
            f"profile {name!r}: take one of {', '.join(PROFILES)}, or a JSON file with a profile"
        )
    return Profile.model_validate_json(Path(name).read_bytes())
