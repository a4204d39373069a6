"""The diffusion stages as records for one trainer, with the paper's values (paper 5.1, 7.2)."""

from __future__ import annotations

from model.samples.sample_order import MixSettings
from model.samples.training_set import WindowLength
from model.settings import Settings
from model.training.masks import MaskSettings
from model.training.trainer_settings import TrainerSettings
from model.training.training_step import LossSettings


class StageSettings(Settings):
    """Stage 1: JointStep on PairSet. The others add to it."""

    trainer: TrainerSettings
    """Steps, batch, learning rate and the rest of the loop."""
    mix: MixSettings = MixSettings()
    """Studio captures and wild clips; the motion stage has wild clips alone."""
    loss: LossSettings = LossSettings()
    """Dropout of conditions."""


class InpaintSettings(StageSettings):
    """Stage 2: InpaintStep on PairSet, from the joint stage's networks."""

    masks: MaskSettings = MaskSettings()
    """What is given and what is made."""
    train_reference_net: bool = True
    """Off: the joint stage's ReferenceNet stays as it is, and a step costs about half."""


class MotionSettings(StageSettings):
    """Stage 3: MotionStep on WindowSet (wild clips with sound), from the joint stage's networks."""

    length: WindowLength = WindowLength()
    """Of a window."""
    zero_output: bool = True
    """Motion modules start silent: at step 0 each frame is the joint denoiser's."""


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


PAPER_JOINT = StageSettings(trainer=_paper_trainer(steps=30_000, batch=32))
# steps not stated; 15 hours at the joint stage's pace of 30,000 steps in 3 days
PAPER_INPAINT = InpaintSettings(trainer=_paper_trainer(steps=6_250, batch=32))
# steps not stated
PAPER_MOTION = MotionSettings(trainer=_paper_trainer(steps=30_000, batch=1))
