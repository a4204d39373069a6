"""Scores of all estimators in both protocols: one line a frame, and their means."""

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

from model.metrics.depth_metrics import METRIC, PAPER, Protocol, depth_scores, why_unscored
from model.settings import Record
from tasks.evaluation.held_out_frames import TestFrames

PROTOCOLS = (METRIC, PAPER)
MEAN_MAP = "mean_map"
"""The estimator that ratios are taken against."""
NOT_COVERED = "the estimator says nothing of its skin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Depth of all frames by one estimator."""

    name: str
    seed: int | None
    """Of its noise; None where it has none."""
    code: Tensor
    """(B, H, W), up to scale and shift, far = large."""
    cover: Tensor | None = None
    """(B, H, W) bool where it says something; None = everywhere."""


class FrameLine(Record):
    """One estimate of one frame in one protocol."""

    estimator: str
    seed: int | None
    protocol: str
    clip_id: str
    subject_id: str
    kind: str
    frame: int


class FrameScore(FrameLine):
    """Its figures."""

    abs_rel: float
    delta1: float
    rmse: float
    pixels: int
    scale: float
    shift: float
    flipped: bool
    """It calls near what is far: its scale is negative."""


class LeftOut(FrameLine):
    """It has no figures and is in no mean."""

    reason: str


class MeanScore(Record):
    """Means over frames, and over seeds where there are several."""

    frames: int
    abs_rel: float
    delta1: float
    rmse: float
    abs_rel_over_mean_map: float
    """The constant mean map on the same frames is 1."""
    rmse_over_mean_map: float
    rmse_over_mean_map_by_seed: tuple[float, ...]
    """Of each seed: the spread."""
    abs_rel_over_mean_map_by_seed: tuple[float, ...]


def score_frames(frames: TestFrames, estimate: Estimate) -> list[FrameScore | LeftOut]:
    """A line for every frame and protocol: scores on the skin, and on what the estimator covers of it.

    Where that is too little or flat a score would say nothing: those frames are left out, with the reason.
    """
    mask = frames.pictures.mask if estimate.cover is None else frames.pictures.mask & estimate.cover
    covered = mask.flatten(1).any(dim=1).tolist()
    reasons = [
        reason if some else NOT_COVERED
        for reason, some in zip(why_unscored(frames.truth_m, mask), covered, strict=True)
    ]
    lines: list[FrameScore | LeftOut] = []
    for protocol in PROTOCOLS:
        figures = iter(_figures(frames, estimate, mask, protocol, [not reason for reason in reasons]))
        for row, frame, reason in zip(frames.rows, frames.frames, reasons, strict=True):
            line: dict[str, Any] = {
                "estimator": estimate.name,
                "seed": estimate.seed,
                "protocol": protocol.name,
                "clip_id": row.clip_id,
                "subject_id": row.subject_id,
                "kind": row.kind,
                "frame": frame,
            }
            lines.append(LeftOut(**line, reason=reason) if reason else FrameScore(**line, **next(figures)))
    return lines


def _figures(
    frames: TestFrames, estimate: Estimate, mask: Tensor, protocol: Protocol, kept: Sequence[bool]
) -> list[dict[str, Any]]:
    """Of each frame that is kept."""
    if not any(kept):
        return []
    some = torch.tensor(kept)
    names = list(compress(frames.names, kept))
    scores = depth_scores(
        estimate.code[some], frames.truth_m[some], mask[some], protocol=protocol, names=names
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
    """Estimator -> "all", "studio", "wild" -> means over scored frames; kinds without any are absent."""
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
    seeds = dict.fromkeys(score.seed for score in own)
    by_seed = [[score for score in own if score.seed == seed] for seed in seeds]

    def ratios(name: str) -> tuple[float, ...]:
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
    """Estimator -> reason -> frames."""
    left_out = [line for line in lines if isinstance(line, LeftOut)]
    once = dict.fromkeys((line.estimator, line.reason, line.clip_id, line.frame) for line in left_out)
    counts: dict[str, dict[str, int]] = {}
    for estimator, reason, *_ in once:
        of_estimator = counts.setdefault(estimator, {})
        of_estimator[reason] = of_estimator.get(reason, 0) + 1
    return counts


def scores_csv(lines: Sequence[FrameScore | LeftOut]) -> bytes:
    """One line a score, or the reason that there is none."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=[*FrameScore.model_fields, "reason"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(line.model_dump() for line in lines)
    return text.getvalue().encode()
