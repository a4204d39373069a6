"""Identity of samples: is a sample closer to its own person than to all others, in colour and coarse form?"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

COARSE = 8
"""Number of cells along a side of the grid in which coarse form is compared."""
LEAST_COVER = 0.25
"""Smallest share of skin in a cell; cells below it in either picture are not compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matches:
    """How often the candidate nearest to a sample is the right one: the candidate of the same index."""

    rate: float
    """Share of right matches among all N samples; a sample in which no face is found is a wrong match."""
    chance: float
    """1 / N."""
    ratio: float | None
    """Mean error against the right candidate / mean error against the others, over samples with a face; a
    sampler that ignores identity has 1. None if no sample has a face."""
    faceless: int
    """Number of samples without a face."""


def identity_errors(sampled: Tensor, sampled_mask: Tensor, known: Tensor, known_mask: Tensor) -> Tensor:
    """Colour error plus coarse-form error of every sample against every known picture, on the skin.

    Args:
        sampled: (N, 3, H, W) in [0, 1].
        sampled_mask: (N, H, W) bool, the skin of the samples.
        known: (M, 3, H, W) in [0, 1].
        known_mask: (M, H, W) bool, the skin of the known pictures.

    Returns:
        (N, M) mean squared errors.
    """
    own_cells, own_cover, own_color = _coarse(sampled, sampled_mask)
    known_cells, known_cover, known_color = _coarse(known, known_mask)
    # all N x M pairs by broadcasting: (N, 1, ...) against (1, M, ...)
    both = ((own_cover[:, None] >= LEAST_COVER) & (known_cover[None] >= LEAST_COVER)).float()
    square = (own_cells[:, None] - known_cells[None]).square().mean(dim=2)
    form = (square * both).sum(dim=(2, 3)) / both.sum(dim=(2, 3)).clamp(min=1)
    color = (own_color[:, None] - known_color[None]).square().mean(dim=2)
    return form + color


def match(errors: Tensor, *, has_face: Tensor) -> Matches:
    """Match each sample to its nearest candidate.

    A sample in which no face is found counts as a wrong match, so that a model gains nothing by sampling no
    face where it is unsure.

    Args:
        errors: (N, N); row i is sample i, which should match candidate i.
        has_face: (N,) bool, whether each sample shows a face; rows of samples without one are not read.

    Raises:
        ValueError: fewer than two candidates.
    """
    count = len(errors)
    if count < 2 or errors.shape != (count, count):
        raise ValueError(f"errors of shape {tuple(errors.shape)}, need (N, N) with N of at least 2")
    is_right = has_face & (errors.argmin(dim=1) == torch.arange(count))
    # the mean over other candidates is the row sum without the diagonal
    shown, own = errors[has_face], errors.diagonal()[has_face]
    others = (shown.sum() - own.sum()) / (len(shown) * (count - 1))
    return Matches(
        rate=is_right.double().mean().item(),
        chance=1 / count,
        ratio=(own.mean() / others).item() if len(shown) else None,
        faceless=count - len(shown),
    )


def _coarse(pictures: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean skin colour of each cell (B, 3, 8, 8), share of skin in it (B, 8, 8), and mean colour (B, 3)."""
    # A mean colour of the skin in each cell: mean of the masked picture / mean of the mask.
    weight = mask[:, None].float()
    cover = functional.adaptive_avg_pool2d(weight, COARSE)
    cells = functional.adaptive_avg_pool2d(pictures * weight, COARSE) / cover.clamp(min=1e-6)
    color = (pictures * weight).sum(dim=(2, 3)) / weight.sum(dim=(2, 3)).clamp(min=1)
    return cells, cover[:, 0], color
