"""Losses of a step's samples: means by part and noise level, and an error where one is not finite."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from model.networks.noise_schedule import LEVELS
from model.training.denoising import StepLoss

QUARTERS = 4
"""Number of ranges of noise levels by which losses are logged."""
NO_LEVEL = -1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleLosses:
    """Losses of the samples of a step."""

    names: tuple[str, ...]
    """Names of the columns: "total" (of the sample's part of the batch), then the parts."""
    values: Tensor
    """(B, columns) float32."""
    level: Tensor
    """Noise levels (B,); NO_LEVEL where a stage has none."""

    @classmethod
    def of(cls, losses: Sequence[StepLoss]) -> SampleLosses:
        """Join the losses of the parts of a batch, in order."""
        parts = [_columns(loss) for loss in losses]
        table = torch.cat([values for values, _ in parts])
        level = torch.cat([level for _, level in parts])
        return cls(names=("total", *losses[0].parts), values=table, level=level)


@dataclass(slots=True)
class LossLog:
    """Running means of losses, until they are taken."""

    sums: dict[str, list[float]] = field(default_factory=dict)
    """Name -> sum and count. A checkpoint keeps them, so that a resumed run logs the same means."""

    def add(self, losses: SampleLosses, norm: float) -> None:
        """Add a step's samples and its gradient norm; the norm is infinite where fp16 skipped the step."""
        if math.isfinite(norm):
            self._count("gradient_norm", norm)
        level = losses.level.tolist()
        # the loss depends strongly on the noise level: a mean over all levels hides what is learnt
        for name, column in zip(losses.names, losses.values.T.tolist(), strict=True):
            for value, at in zip(column, level, strict=True):
                self._count(f"loss/{name}", value)
                if name != "total" and at != NO_LEVEL:
                    self._count(f"loss/{name}/{_quarter(at)}", value)

    def take(self) -> dict[str, float]:
        """Return the means by name and start anew."""
        means = {name: total / count for name, (total, count) in sorted(self.sums.items())}
        self.sums.clear()
        return means

    def _count(self, name: str, value: float) -> None:
        entry = self.sums.setdefault(name, [0.0, 0])
        entry[0] += value
        entry[1] += 1


class NotFiniteError(FloatingPointError):
    """A loss or gradient is NaN or infinite; the weights are as before that step."""


def require_finite(losses: SampleLosses, *, step: int, samples: Sequence[str]) -> None:
    """Stop if a loss is NaN or infinite.

    Raises:
        NotFiniteError: names the step, the part and its samples.
    """
    # from the last column on: a part names the modality, the total follows from the parts
    for column in range(len(losses.names) - 1, -1, -1):
        values = losses.values[:, column]
        bad = torch.nonzero(~torch.isfinite(values)).flatten().tolist()
        if not bad:
            continue
        places = "; ".join(
            f"{samples[index]}, noise level {losses.level[index]:g}"
            if losses.level[index] != NO_LEVEL
            else samples[index]
            for index in bad
        )
        raise NotFiniteError(
            f"step {step}: loss {losses.names[column]!r} is {float(values[bad[0]])} for {places}; "
            "look at these samples, or take a lower learning rate"
        )


def require_finite_norm(norm: float, *, step: int, gradients: Mapping[str, Tensor]) -> None:
    """Stop if a gradient is NaN or infinite.

    Raises:
        NotFiniteError: names the step and the parameters.
    """
    if math.isfinite(norm):
        return
    bad = [name for name, gradient in gradients.items() if not bool(torch.isfinite(gradient).all())]
    named = ", ".join(bad[:8]) + (f" and {len(bad) - 8} more" if len(bad) > 8 else "")
    raise NotFiniteError(f"step {step}: the gradient is not finite in {named}; take a lower learning rate")


def _columns(loss: StepLoss) -> tuple[Tensor, Tensor]:
    """Losses (B, columns) and noise levels (B,)."""
    values = [part.detach().float() for part in loss.parts.values()]
    total = loss.total.detach().float().expand_as(values[0])
    level = torch.full_like(values[0], NO_LEVEL) if loss.level is None else loss.level.to(values[0])
    return torch.stack([total, *values], dim=1), level


def _quarter(level: float) -> str:
    quarter = min(int(level * QUARTERS / LEVELS), QUARTERS - 1)
    width = LEVELS // QUARTERS
    return f"levels_{quarter * width}_to_{(quarter + 1) * width - 1}"
