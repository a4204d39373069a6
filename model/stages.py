"""The training stages as records for one trainer, with the paper's values (paper 5.1, 7.2)."""

from __future__ import annotations

from pydantic import BaseModel

from model.sample_order import MixSettings
from model.trainer_settings import TrainerSettings
from model.training_masks import MaskSettings
from model.training_set import WindowLength
from model.training_step import LossSettings


class StageSettings(BaseModel, frozen=True, extra="forbid", use_attribute_docstrings=True):
    """One stage."""

    trainer: TrainerSettings
    """Steps, batch, rate and the rest of the loop."""
    mix: MixSettings = MixSettings()
    """Studio captures against wild clips."""
    loss: LossSettings = LossSettings()
    """Weights and dropout."""


class InpaintSettings(StageSettings, frozen=True, extra="forbid", use_attribute_docstrings=True):
    """Stage 2."""

    masks: MaskSettings = MaskSettings()
    """What is given."""


class MotionSettings(StageSettings, frozen=True, extra="forbid", use_attribute_docstrings=True):
    """Stage 3."""

    length: WindowLength = WindowLength()
    """Of a window."""
    zero_output: bool = True
    """Motion modules start silent: at step 0 each frame is the joint denoiser's."""


# steps: joint as stated; inpaint from its 15 hours at the joint stage's pace; motion is not stated
PAPER_JOINT = StageSettings(
    trainer=TrainerSettings(steps=30_000, global_batch=32, learning_rate=1e-5, mixed_precision="bf16")
)
PAPER_INPAINT = InpaintSettings(
    trainer=TrainerSettings(steps=6_000, global_batch=32, learning_rate=1e-5, mixed_precision="bf16")
)
PAPER_MOTION = MotionSettings(
    trainer=TrainerSettings(steps=30_000, global_batch=1, learning_rate=1e-5, mixed_precision="bf16")
)
