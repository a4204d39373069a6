"""Settings of a training run, and the learning rate they ask for at each step."""

from __future__ import annotations

import math
from typing import Any, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from model.settings import Settings

FREE = {"checkpoint_every", "keep", "log_every", "validate_every", "loader_workers", "gradient_checkpointing"}
"""They change nothing that is learnt: a resumed run may have others."""
SHARING = {"accumulation", "processes"}
"""How a global batch is cut up: the same samples, but sums differ in their last bits."""


class TrainerSettings(Settings):
    """How a step's networks are trained."""

    steps: PositiveInt
    """Optimizer steps in all."""
    global_batch: PositiveInt
    """Samples of a step, over all processes and accumulated parts."""
    learning_rate: float = Field(gt=0, allow_inf_nan=False)
    """After the warm-up."""
    warmup_steps: NonNegativeInt = 0
    """The learning rate grows linearly over these."""
    lr_schedule: Literal["constant", "cosine"] = "constant"
    """After the warm-up; cosine falls to zero at the last step."""
    betas: tuple[float, float] = (0.9, 0.999)
    """AdamW's averages of gradient and square, each 0 <= beta < 1."""
    weight_decay: float = Field(default=0.01, ge=0)
    """AdamW's, decoupled."""
    max_grad_norm: PositiveFloat | None = 1.0
    """Gradients are scaled down to this norm; None = never."""
    ema_decay: float | None = Field(default=None, gt=0, lt=1)
    """Of the weights' moving average, which is what the run ends with; None = no average."""
    optimizer: Literal["adamw", "adamw_8bit"] = "adamw"
    """adamw_8bit keeps its averages in 8 bits and needs bitsandbytes."""
    sharding: Literal["none", "gradients"] = "none"
    """What the processes share out: nothing, or the optimizer's state, float32 weights and gradients, each
    process its part (as ZeRO-2). Takes several processes."""
    mixed_precision: Literal["no", "bf16", "fp16"] = "no"
    """Of the forward pass; weights stay float32. fp16 needs a GPU."""
    gradient_checkpointing: bool = False
    """Recompute activations in backward: about a third more time, a fraction of the memory."""
    accumulation: PositiveInt = 1
    """Parts that a process makes of its share of the batch, one after the other."""
    threads: PositiveInt = 1
    """CPU threads of torch in a process. Sums depend on them."""
    loader_workers: NonNegativeInt = 0
    """Processes that load samples; 0 = the training process itself."""
    checkpoint_every: PositiveInt = 1000
    """Steps."""
    keep: PositiveInt = 2
    """Checkpoints that stay, the newest ones."""
    log_every: PositiveInt = 10
    """Steps; losses are means over them."""
    validate_every: PositiveInt | None = None
    """Steps; None = never."""

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
        """Refuse a global batch that cannot be cut into equal parts.

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
        """What a resumed run must have too, as JSON."""
        # with a constant rate a longer run is the same run, continued
        free = FREE | SHARING | ({"steps"} if self.lr_schedule == "constant" else set())
        return self.model_dump(mode="json", exclude=free)


def learning_rate(settings: TrainerSettings, step: int) -> float:
    """Of step 1, 2, ... settings.steps."""
    if step <= settings.warmup_steps:
        return settings.learning_rate * step / settings.warmup_steps
    if settings.lr_schedule == "constant":
        return settings.learning_rate
    share = (step - settings.warmup_steps - 1) / (settings.steps - settings.warmup_steps)
    return settings.learning_rate * (1 + math.cos(math.pi * share)) / 2
