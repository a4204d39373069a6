"""Losses of a step's samples: means per part and noise level, and the stop where one is not finite."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from model.networks.noise_schedule import LEVELS
from model.training.training_step import StepLoss

QUARTERS = 4
"""Losses are logged per quarter of the noise levels."""
NO_LEVEL = -1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleLosses:
    """What a step's samples lost."""

    names: tuple[str, ...]
    """Of the columns: "total" (of the sample's part of the batch), then the parts."""
    values: Tensor
    """(B, columns) float32."""
    level: Tensor
    """(B,) noise level; NO_LEVEL where a stage has none."""

    @classmethod
    def of(cls, losses: Sequence[StepLoss]) -> SampleLosses:
        """From the parts of a batch, in order."""
        parts = [_columns(loss) for loss in losses]
        table = torch.cat([values for values, _ in parts])
        level = torch.cat([level for _, level in parts])
        return cls(names=("total", *losses[0].parts), values=table, level=level)


@dataclass(slots=True)
class LossLog:
    """Means since they were last taken."""

    sums: dict[str, list[float]] = field(default_factory=dict)
    """Name -> sum and count. A checkpoint keeps them, so that a resumed run logs the same means."""

    def add(self, losses: SampleLosses, norm: float) -> None:
        """Count a step's samples and its gradient's norm, unless fp16 left that step out."""
        if math.isfinite(norm):
            self._count("gradient_norm", norm)
        level = losses.level.tolist()
        for name, column in zip(losses.names, losses.values.T.tolist(), strict=True):
            for value, at in zip(column, level, strict=True):
                self._count(f"loss/{name}", value)
                if name != "total" and at != NO_LEVEL:
                    self._count(f"loss/{name}/{_quarter(at)}", value)

    def take(self) -> dict[str, float]:
        """The means by name; counting starts anew."""
        means = {name: total / count for name, (total, count) in sorted(self.sums.items())}
        self.sums.clear()
        return means

    def _count(self, name: str, value: float) -> None:
        entry = self.sums.setdefault(name, [0.0, 0])
        entry[0] += value
        entry[1] += 1


class NotFiniteError(FloatingPointError):
    """Training met NaN or infinity; its weights were not touched by that step."""


def require_finite(losses: SampleLosses, *, step: int, samples: Sequence[str]) -> None:
    """Stop at the first loss that is NaN or infinite.

    Raises:
        NotFiniteError: names the step, the part and its samples.
    """
    for column in range(len(losses.names) - 1, -1, -1):
        values = losses.values[:, column]
        bad = torch.nonzero(~torch.isfinite(values)).flatten().tolist()
        if not bad:
            continue
        told = "; ".join(
            f"{samples[index]}, noise level {losses.level[index]:g}"
            if losses.level[index] != NO_LEVEL
            else samples[index]
            for index in bad
        )
        raise NotFiniteError(
            f"step {step}: loss {losses.names[column]!r} is {float(values[bad[0]])} for {told}; "
            "look at these samples, or take a lower learning rate"
        )


def require_finite_norm(norm: float, *, step: int, gradients: Mapping[str, Tensor]) -> None:
    """Stop at gradients that are NaN or infinite.

    Raises:
        NotFiniteError: names the step and the parameters.
    """
    if math.isfinite(norm):
        return
    bad = [name for name, gradient in gradients.items() if not bool(torch.isfinite(gradient).all())]
    named = ", ".join(bad[:8]) + (f" and {len(bad) - 8} more" if len(bad) > 8 else "")
    raise NotFiniteError(f"step {step}: the gradient is not finite in {named}; take a lower learning rate")


def _columns(loss: StepLoss) -> tuple[Tensor, Tensor]:
    """(B, columns) and (B,)."""
    values = [part.detach().float() for part in loss.parts.values()]
    total = loss.total.detach().float().expand_as(values[0])
    level = torch.full_like(values[0], NO_LEVEL) if loss.level is None else loss.level.to(values[0])
    return torch.stack([total, *values], dim=1), level


def _quarter(level: float) -> str:
    quarter = min(int(level * QUARTERS / LEVELS), QUARTERS - 1)
    width = LEVELS // QUARTERS
    return f"levels_{quarter * width}_to_{(quarter + 1) * width - 1}"
