"""Whether a made portrait is of its own person: closer to it in colour and coarse form than to the others."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

COARSE = 8
"""Cells of a side that the coarse form is seen in."""
LEAST_COVER = 0.25
"""Cells with a smaller share of skin in either picture are not compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matches:
    """How often the nearest of N candidates is the true one; the true one has the same index."""

    rate: float
    """Share of true matches; samples without a face are none."""
    chance: float
    """1 / N, samples without a face among them."""
    ratio: float | None
    """Mean error against the true candidate / mean error against the others, of samples with a face; below 1
    is better than none. None where no sample has one."""
    faceless: int
    """Samples without a face."""


def identity_errors(made: Tensor, made_mask: Tensor, known: Tensor, known_mask: Tensor) -> Tensor:
    """Masked colour error plus low-frequency error of every made picture against every known one.

    Args:
        made: (N, 3, H, W) in [0, 1].
        made_mask: (N, H, W) bool, its skin.
        known: (M, 3, H, W) in [0, 1].
        known_mask: (M, H, W) bool.

    Returns:
        (N, M) mean squared errors.
    """
    made_cells, made_cover, made_color = _coarse(made, made_mask)
    known_cells, known_cover, known_color = _coarse(known, known_mask)
    both = ((made_cover[:, None] >= LEAST_COVER) & (known_cover[None] >= LEAST_COVER)).float()
    square = (made_cells[:, None] - known_cells[None]).square().mean(dim=2)
    form = (square * both).sum(dim=(2, 3)) / both.sum(dim=(2, 3)).clamp(min=1)
    color = (made_color[:, None] - known_color[None]).square().mean(dim=2)
    return form + color


def match(errors: Tensor, *, has_face: Tensor) -> Matches:
    """Matches of samples with candidates.

    A sample without a face shows nobody: it is not matched, whatever its errors are. It stays one of the N,
    else a model would gain by making nothing where it is unsure.

    Args:
        errors: (N, N), row i is sample i, made for candidate i.
        has_face: (N,) bool, of the samples; rows of the others are not read.

    Raises:
        ValueError: fewer than two candidates.
    """
    count = len(errors)
    if count < 2 or errors.shape != (count, count):
        raise ValueError(f"errors of shape {tuple(errors.shape)}, need (N, N) with N of at least 2")
    right = has_face & (errors.argmin(dim=1) == torch.arange(count))
    shown, own = errors[has_face], errors.diagonal()[has_face]
    others = (shown.sum() - own.sum()) / (len(shown) * (count - 1))
    return Matches(
        rate=right.double().mean().item(),
        chance=1 / count,
        ratio=(own.mean() / others).item() if len(shown) else None,
        faceless=count - len(shown),
    )


def _coarse(pictures: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean colour of the skin in each cell (B, 3, 8, 8), cells' cover (B, 8, 8), and of all (B, 3)."""
    weight = mask[:, None].float()
    cover = functional.adaptive_avg_pool2d(weight, COARSE)
    cells = functional.adaptive_avg_pool2d(pictures * weight, COARSE) / cover.clamp(min=1e-6)
    color = (pictures * weight).sum(dim=(2, 3)) / weight.sum(dim=(2, 3)).clamp(min=1)
    return cells, cover[:, 0], color
