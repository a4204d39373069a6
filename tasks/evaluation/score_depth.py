"""Scores of estimated depth in both protocols: one line for each frame, and the means (paper Table 1)."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from statistics import mean
from typing import Any

import torch
from torch import Tensor

from model.metrics.depth_estimators import DepthEstimate, MeanDepth
from model.metrics.depth_metrics import METRIC, PAPER, Protocol, depth_scores, why_unscored
from model.settings import Record
from tasks.evaluation.held_out_frames import HeldOutFrames

PROTOCOLS = (METRIC, PAPER)
MEAN_MAP = MeanDepth.name
"""The estimator whose errors are the denominator of ratios."""
NOT_COVERED = "the estimate covers no skin of the frame"


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedEstimate:
    """Depth of all frames by one estimator with one seed."""

    estimator: str
    """Name of the estimator."""
    seed: int | None
    """Seed of the noise; None if the estimator is not random."""
    depth: DepthEstimate


class FrameLine(Record):
    """One line of depth.csv: the estimate of one frame in one protocol."""

    estimator: str
    seed: int | None
    """Seed of the noise; None if the estimator is not random."""
    protocol: str
    clip_id: str
    subject_id: str
    kind: str
    frame: int
    """Number of the frame in its clip."""


class FrameScore(FrameLine):
    """A line with scores (model.metrics.depth_metrics.DepthScores)."""

    abs_rel: float
    delta1: float
    rmse: float
    pixels: int
    scale: float
    shift: float
    flipped: bool
    """The scale is negative: the estimate confuses near and far."""


class LeftOut(FrameLine):
    """A line without scores; the frame is left out of the means."""

    reason: str
    """Why there are no scores."""


class MeanScore(Record):
    """Means over frames and seeds."""

    frames: int
    """Number of scored frames."""
    abs_rel: float
    delta1: float
    rmse: float
    """In the unit of the protocol."""
    abs_rel_over_mean_map: float
    """AbsRel / AbsRel of the mean depth map on the same frames."""
    rmse_over_mean_map: float
    """RMSE / RMSE of the mean depth map on the same frames."""
    rmse_over_mean_map_by_seed: tuple[float, ...]
    """The ratio for each seed, which shows the spread."""
    abs_rel_over_mean_map_by_seed: tuple[float, ...]
    """The ratio for each seed, which shows the spread."""


def score_frames(frames: HeldOutFrames, estimate: NamedEstimate) -> list[FrameScore | LeftOut]:
    """Score every frame in every protocol, on the part of the skin that the estimate covers.

    Frames without an estimate, and frames where this part is too small or flat for a meaningful score, are
    left out with the reason.
    """
    mask = frames.pictures.mask & estimate.depth.mask
    reasons = _reasons(frames, estimate.depth, mask)
    lines: list[FrameScore | LeftOut] = []
    for protocol in PROTOCOLS:
        figures = iter(_figures(frames, estimate, mask, protocol, [not reason for reason in reasons]))
        for row, frame, reason in zip(frames.rows, frames.frames, reasons, strict=True):
            line: dict[str, Any] = {
                "estimator": estimate.estimator,
                "seed": estimate.seed,
                "protocol": protocol.name,
                "clip_id": row.clip_id,
                "subject_id": row.subject_id,
                "kind": row.kind,
                "frame": frame,
            }
            lines.append(LeftOut(**line, reason=reason) if reason else FrameScore(**line, **next(figures)))
    return lines


def _reasons(frames: HeldOutFrames, depth: DepthEstimate, mask: Tensor) -> list[str | None]:
    """Why each frame has no score on the mask (B, H, W); None where it has one."""
    covered = mask.flatten(1).any(dim=1).tolist()
    return [
        given or (reason if some else NOT_COVERED)
        for given, reason, some in zip(
            depth.reasons, why_unscored(frames.truth_m, mask), covered, strict=True
        )
    ]


def _figures(
    frames: HeldOutFrames, estimate: NamedEstimate, mask: Tensor, protocol: Protocol, kept: Sequence[bool]
) -> list[dict[str, Any]]:
    """Columns of the table for each frame that is kept."""
    if not any(kept):
        return []
    some = torch.tensor(kept)
    names = list(compress(frames.names, kept))
    scores = depth_scores(
        estimate.depth.code[some], frames.truth_m[some], mask[some], protocol=protocol, names=names
    )
    alignment = scores.alignment
    figures = {
        "abs_rel": scores.abs_rel,
        "delta1": scores.delta1,
        "rmse": scores.rmse,
        "pixels": scores.pixels,
        "scale": alignment.scale,
        "shift": alignment.shift,
        "flipped": alignment.is_flipped,
    }
    columns = (column.tolist() for column in figures.values())
    return [dict(zip(figures, values, strict=True)) for values in zip(*columns, strict=True)]


def mean_scores(lines: Sequence[FrameScore | LeftOut], protocol: Protocol) -> dict[str, dict[str, MeanScore]]:
    """Average the scored frames: estimator -> "all", "studio" or "wild" -> means; empty kinds are absent."""
    here = [line for line in lines if isinstance(line, FrameScore) and line.protocol == protocol.name]
    found: dict[str, dict[str, MeanScore]] = {}
    for estimator in dict.fromkeys(score.estimator for score in here):
        for kind in ("all", "studio", "wild"):
            some = [s for s in here if kind in ("all", s.kind)]
            own = [s for s in some if s.estimator == estimator]
            if own:
                base = {(s.clip_id, s.frame): s for s in some if s.estimator == MEAN_MAP}
                found.setdefault(estimator, {})[kind] = _mean(own, base)
    return found


def _mean(own: Sequence[FrameScore], base: Mapping[tuple[str, int], FrameScore]) -> MeanScore:
    # dict.fromkeys keeps the order of the seeds
    seeds = dict.fromkeys(score.seed for score in own)
    by_seed = [[score for score in own if score.seed == seed] for seed in seeds]

    def ratios(name: str) -> tuple[float, ...]:
        # a ratio of means: in a mean of ratios, frames close to the mean map would dominate
        return tuple(
            mean(getattr(s, name) for s in some) / mean(getattr(base[s.clip_id, s.frame], name) for s in some)
            for some in by_seed
        )

    return MeanScore(
        frames=len(by_seed[0]),
        abs_rel=mean(score.abs_rel for score in own),
        delta1=mean(score.delta1 for score in own),
        rmse=mean(score.rmse for score in own),
        abs_rel_over_mean_map=mean(ratios("abs_rel")),
        rmse_over_mean_map=mean(ratios("rmse")),
        abs_rel_over_mean_map_by_seed=ratios("abs_rel"),
        rmse_over_mean_map_by_seed=ratios("rmse"),
    )


def count_left_out(lines: Sequence[FrameScore | LeftOut]) -> dict[str, dict[str, int]]:
    """Count the frames that are left out: estimator -> reason -> number of frames."""
    left_out = [line for line in lines if isinstance(line, LeftOut)]
    # once for all seeds and protocols
    once = dict.fromkeys((line.estimator, line.reason, line.clip_id, line.frame) for line in left_out)
    counts: dict[str, dict[str, int]] = {}
    for estimator, reason, *_ in once:
        of_estimator = counts.setdefault(estimator, {})
        of_estimator[reason] = of_estimator.get(reason, 0) + 1
    return counts


def scores_csv(lines: Sequence[FrameScore | LeftOut]) -> bytes:
    """Write depth.csv: one line for each score, or for the reason why there is none."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=[*FrameScore.model_fields, "reason"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(line.model_dump() for line in lines)
    return text.getvalue().encode()
