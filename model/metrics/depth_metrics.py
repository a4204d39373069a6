"""Errors of estimated depth against ground truth: AbsRel, delta1 and RMSE after scale-and-shift alignment.

These are the metrics of the paper's Table 1 (section 5.2), on a mask of the skin. The paper does not name the
space of the comparison. The same error field gives AbsRel .005 on metric depth and .17 on normalised,
near-bright depth, so that scores carry their protocol: the spaces and the cut that they belong to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

DELTA1 = 1.25
"""Pixels within this ratio of the ground truth count for delta1."""
LEAST_SPREAD = 1e-12
"""Smallest variance on the mask, as a share of the mean square, that determines a scale."""
LEAST_PIXELS = 3
"""Smallest number of pixels that is scored: scale and shift fit any two pixels exactly."""
TOO_SMALL = f"fewer than {LEAST_PIXELS} pixels on the mask: scale and shift fit any two exactly"
FLAT = "the ground truth is flat on the mask"


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """The spaces and the cut that a figure belongs to."""

    name: Literal["metric", "paper"]
    alignment_space: Literal["depth"]
    """Space of the least-squares fit of scale and shift: depth, not its inverse."""
    target_space: Literal["metric", "normalised_near_bright"]
    """Space of the comparison: metres, or 0 = farthest .. 1 = nearest ground truth on the mask."""
    cut: float
    """Pixels whose ground truth does not exceed this value of the target space are aligned but not scored."""
    rmse_unit: Literal["mm", "of the range"]
    """Unit of the RMSE: millimetres, or the depth range of the mask."""

    def __str__(self) -> str:
        return (
            f"{self.name} (aligned in {self.alignment_space} by scale and shift, "
            f"target {self.target_space}, cut {self.cut:g}, RMSE {self.rmse_unit})"
        )


METRIC = Protocol(name="metric", alignment_space="depth", target_space="metric", cut=0.0, rmse_unit="mm")
PAPER = Protocol(
    name="paper",
    alignment_space="depth",
    target_space="normalised_near_bright",
    cut=0.05,
    rmse_unit="of the range",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """Least-squares fit target ~ scale * estimate + shift, one scale and shift for each sample."""

    scale: Tensor
    """(B,) float64; 0 where degenerate."""
    shift: Tensor
    """(B,) float64, in the unit of the target."""
    is_degenerate: Tensor
    """(B,) bool: the estimate is constant on the mask, so that only the shift is fitted."""
    is_flipped: Tensor
    """(B,) bool: the scale is negative, so the estimate confuses near and far."""

    def apply(self, estimate: Tensor) -> Tensor:
        """Align an estimate (B, H, W): (B, H, W) float64 in the space of the target."""
        return self.scale[:, None, None] * estimate.double() + self.shift[:, None, None]


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthScores:
    """Scores of each sample, (B,) each, with their protocol."""

    protocol: Protocol
    abs_rel: Tensor
    """Mean of |estimate - truth| / truth over the scored pixels."""
    delta1: Tensor
    """Share of pixels with max(estimate / truth, truth / estimate) < 1.25."""
    rmse: Tensor
    """Root mean squared error in protocol.rmse_unit."""
    pixels: Tensor
    """Number of scored pixels."""
    alignment: Alignment


def align(estimate: Tensor, target: Tensor, mask: Tensor, *, names: Sequence[str]) -> Alignment:
    """Fit scale and shift on the mask by least squares, as MiDaS does (Ranftl et al. 2020, arXiv 1907.01341).

    The fit is in closed form for all samples at once.

    Args:
        estimate: (B, H, W), any affine function of depth.
        target: (B, H, W).
        mask: (B, H, W) bool.
        names: names of the samples for error messages, (B,).

    Raises:
        ValueError: a mask is empty, or a value on it is not finite.
    """
    _check(estimate, target, mask, names)
    # in float64: the variance of a face is small beside its squared distance
    weight = mask.double()
    count = weight.sum(dim=(1, 2))
    source, wanted = (torch.where(mask, values.double(), 0.0) for values in (estimate, target))
    mean_source, mean_wanted = source.sum(dim=(1, 2)) / count, wanted.sum(dim=(1, 2)) / count
    # Solution of the 2x2 normal equations, centred for precision:
    # s = cov(e, t) / var(e), b = mean(t) - s mean(e).
    centred = (source - mean_source[:, None, None]) * weight
    variance = (centred**2).sum(dim=(1, 2)) / count
    covariance = (centred * (wanted - mean_wanted[:, None, None])).sum(dim=(1, 2)) / count
    is_degenerate = variance <= LEAST_SPREAD * (source**2).sum(dim=(1, 2)) / count
    scale = torch.where(is_degenerate, 0.0, covariance / variance.clamp(min=torch.finfo(torch.double).tiny))
    return Alignment(
        scale=scale,
        shift=mean_wanted - scale * mean_source,
        is_degenerate=is_degenerate,
        is_flipped=scale < 0,
    )


def depth_scores(
    estimate: Tensor, truth_m: Tensor, mask: Tensor, *, protocol: Protocol, names: Sequence[str]
) -> DepthScores:
    """Align a batch of estimates and score it in a protocol (paper section 5.2, Table 1).

    Args:
        estimate: (B, H, W) depth up to scale and shift, far = large, for example depth codes.
        truth_m: (B, H, W) metres, positive on the mask.
        mask: (B, H, W) bool, for example the skin.
        protocol: METRIC or PAPER.
        names: names of the samples for error messages, (B,).

    Raises:
        ValueError: a mask is empty, a value on it is not finite, or no ground truth exceeds the cut.
    """
    _check(estimate, truth_m, mask, names)
    if protocol.target_space == "metric":
        truth, unit = truth_m.double(), 1000.0
    else:
        # The normalised truth is near = large. With the estimate negated, a negative scale means a flipped
        # estimate in both protocols.
        truth, unit, estimate = _near_bright(truth_m.double(), mask, names), 1.0, -estimate
    alignment = align(estimate, truth, mask, names=names)
    aligned = alignment.apply(estimate)
    # AbsRel divides by the truth, which is 0 at the farthest pixel of the normalised space: hence the cut.
    scored = mask & (truth > protocol.cut)
    pixels = scored.sum(dim=(1, 2))
    _name_first(pixels == 0, names, f"no ground truth exceeds the cut {protocol.cut:g} on the mask")
    safe = torch.where(scored, truth, 1.0)
    error = torch.where(scored, aligned - truth, 0.0)
    # Both ratios without a division: an estimate that is not positive fails the second comparison.
    is_close = scored & (aligned < DELTA1 * safe) & (safe < DELTA1 * aligned)
    return DepthScores(
        protocol=protocol,
        abs_rel=(error.abs() / safe).sum(dim=(1, 2)) / pixels,
        delta1=is_close.sum(dim=(1, 2)) / pixels.double(),
        rmse=unit * ((error**2).sum(dim=(1, 2)) / pixels).sqrt(),
        pixels=pixels,
        alignment=alignment,
    )


def why_unscored(truth_m: Tensor, mask: Tensor) -> list[str | None]:
    """Reason why each sample cannot be scored in any protocol; None where it can.

    Args:
        truth_m: (B, H, W) metres.
        mask: (B, H, W) bool.
    """
    # a flat truth has no range to normalise by, and any constant estimate fits it
    near, far = _ends(truth_m, mask)
    is_small = mask.sum(dim=(1, 2)) < LEAST_PIXELS
    return [
        TOO_SMALL if small else FLAT if flat else None
        for small, flat in zip(is_small.tolist(), (near == far).tolist(), strict=True)
    ]


def _ends(truth_m: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Nearest and farthest ground truth on the mask, (B,) each."""
    near = torch.where(mask, truth_m, torch.inf).amin(dim=(1, 2))
    return near, torch.where(mask, truth_m, -torch.inf).amax(dim=(1, 2))


def _near_bright(truth_m: Tensor, mask: Tensor, names: Sequence[str]) -> Tensor:
    """Normalise metres (B, H, W) to 0 .. 1 from the farthest to the nearest on the mask."""
    near, far = _ends(truth_m, mask)
    _name_first(near == far, names, f"{FLAT}, it cannot be normalised; leave the sample out")
    return (far[:, None, None] - truth_m) / (far - near)[:, None, None]


def _check(estimate: Tensor, target: Tensor, mask: Tensor, names: Sequence[str]) -> None:
    shapes = (tuple(estimate.shape), tuple(target.shape), tuple(mask.shape))
    if len(set(shapes)) > 1 or mask.dtype != torch.bool or len(mask) != len(names):
        raise ValueError(
            f"estimate, truth and mask are {shapes}, mask {mask.dtype}, {len(names)} names; "
            "need one (B, H, W), a bool mask and B names"
        )
    _name_first(~mask.any(dim=(1, 2)), names, "the mask is empty; leave the sample out")
    wild = mask & ~(torch.isfinite(estimate) & torch.isfinite(target))
    _name_first(wild.any(dim=(1, 2)), names, "a depth on the mask is not finite")


def _name_first(is_bad: Tensor, names: Sequence[str], what: str) -> None:
    if is_bad.any():
        bad = [name for name, flag in zip(names, is_bad.tolist(), strict=True) if flag]
        raise ValueError(f"sample {bad[0]}: {what} ({len(bad)} of {len(names)} samples)")
