"""Settings of a training run, and the learning rate they ask for at each step."""

from __future__ import annotations

import math
from typing import Any, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from model.settings import Settings

FREE = {"checkpoint_every", "keep", "log_every", "validate_every", "loader_workers", "gradient_checkpointing"}
"""Settings that change nothing that is learnt: a resumed run may have others."""
SHARING = {"accumulation", "processes"}
"""How a global batch is divided: the samples stay the same, but sums differ in their last bits."""


class TrainerSettings(Settings):
    """The training loop of a stage."""

    steps: PositiveInt
    """Number of optimizer steps."""
    global_batch: PositiveInt
    """Samples of one step, over all processes and accumulated parts."""
    learning_rate: float = Field(gt=0, allow_inf_nan=False)
    """Learning rate after the warm-up."""
    warmup_steps: NonNegativeInt = 0
    """Steps over which the learning rate grows linearly."""
    lr_schedule: Literal["constant", "cosine"] = "constant"
    """Learning rate after the warm-up: constant, or falling to zero at the last step along a cosine."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Decay of AdamW's averages of the gradient and of its square, each 0 <= beta < 1."""
    weight_decay: float = Field(default=0.01, ge=0)
    """Decoupled weight decay of AdamW."""
    max_grad_norm: PositiveFloat | None = 1.0
    """Largest norm of the gradient, which is scaled down to it; None = no limit."""
    ema_decay: float | None = Field(default=None, gt=0, lt=1)
    """Decay of the weights' moving average, with which the run ends; None = no average."""
    optimizer: Literal["adamw", "adamw_8bit"] = "adamw"
    """Optimizer; adamw_8bit keeps its averages in 8 bits and needs bitsandbytes."""
    sharding: Literal["none", "gradients"] = "none"
    """What is divided among several processes: nothing, or optimizer state, float32 weights and gradients
    (as ZeRO-2)."""
    mixed_precision: Literal["no", "bf16", "fp16"] = "no"
    """Precision of the forward pass; weights stay float32. fp16 needs a GPU."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass: about a third more time, a fraction of the memory."""
    accumulation: PositiveInt = 1
    """Parts into which a process divides its share of the batch, one after the other."""
    threads: PositiveInt = 1
    """CPU threads of torch in a process; sums depend on their number."""
    loader_workers: NonNegativeInt = 0
    """Processes that load samples; 0 = the training process itself."""
    checkpoint_every: PositiveInt = 1000
    """Steps between checkpoints."""
    keep: PositiveInt = 2
    """Number of newest checkpoints that stay."""
    log_every: PositiveInt = 10
    """Steps between log entries; losses are means over them."""
    validate_every: PositiveInt | None = None
    """Steps between validations; None = no validation."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas {self.betas}: each must be at least 0 and below 1")
        if self.warmup_steps >= self.steps:
            raise ValueError(f"{self.warmup_steps} warm-up steps of {self.steps} in all; take fewer")
        if self.sharding != "none" and self.optimizer == "adamw_8bit":
            raise ValueError("optimizer adamw_8bit does not go with sharding; take adamw or sharding none")
        if self.sharding != "none" and self.mixed_precision == "fp16":
            raise ValueError("mixed_precision fp16 does not go with sharding; take bf16 or sharding none")
        return self

    def check_batch(self, *, processes: int) -> None:
        """Refuse a global batch that cannot be divided into equal parts.

        Raises:
            ValueError: names the batch, the processes and the parts.
        """
        parts = processes * self.accumulation
        if self.global_batch % parts:
            raise ValueError(
                f"global_batch {self.global_batch} cannot be cut into {processes} processes x "
                f"{self.accumulation} accumulated parts; take a multiple of {parts}"
            )

    def recorded(self) -> dict[str, Any]:
        """Settings that a resumed run must share, as JSON."""
        # with a constant rate a longer run is the same run, continued
        free = FREE | SHARING | ({"steps"} if self.lr_schedule == "constant" else set())
        return self.model_dump(mode="json", exclude=free)


def learning_rate(settings: TrainerSettings, step: int) -> float:
    """Learning rate of step 1, 2, ... settings.steps."""
    if step <= settings.warmup_steps:
        return settings.learning_rate * step / settings.warmup_steps
    if settings.lr_schedule == "constant":
        return settings.learning_rate
    # half a cosine from the full rate down to nearly zero
    share = (step - settings.warmup_steps - 1) / (settings.steps - settings.warmup_steps)
    return settings.learning_rate * (1 + math.cos(math.pi * share)) / 2
