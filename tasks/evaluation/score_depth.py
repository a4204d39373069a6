"""Scores of all estimators in both protocols: one line a frame, and their means."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

import torch
from pydantic import BaseModel
from torch import Tensor

from model.metrics import METRIC, PAPER, Protocol, depth_scores
from tasks.evaluation.test_frames import TestFrames

PROTOCOLS = (METRIC, PAPER)
MEAN_MAP = "mean_map"
"""The estimator that ratios are taken against."""


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


class FrameScore(BaseModel, frozen=True, extra="forbid", use_attribute_docstrings=True):
    """One estimate of one frame in one protocol."""

    estimator: str
    seed: int | None
    protocol: str
    clip_id: str
    subject_id: str
    kind: str
    frame: int
    abs_rel: float
    delta1: float
    rmse: float
    pixels: int
    scale: float
    shift: float
    flipped: bool
    """It calls near what is far: its scale is negative."""


class MeanScore(BaseModel, frozen=True, extra="forbid", use_attribute_docstrings=True):
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


def score_frames(frames: TestFrames, estimate: Estimate) -> list[FrameScore]:
    """Scores on the skin, and on what the estimator covers of it; frames without any are left out."""
    mask = frames.pictures.mask if estimate.cover is None else frames.pictures.mask & estimate.cover
    kept = mask.flatten(1).sum(dim=1) > 1
    chosen = torch.nonzero(kept)[:, 0].tolist()
    if not chosen:
        return []
    names = [frames.names[index] for index in chosen]
    scored: list[FrameScore] = []
    for protocol in PROTOCOLS:
        scores = depth_scores(
            estimate.code[kept], frames.truth_m[kept], mask[kept], protocol=protocol, names=names
        )
        alignment = scores.alignment
        for place, index in enumerate(chosen):
            row = frames.rows[index]
            scored.append(
                FrameScore(
                    estimator=estimate.name,
                    seed=estimate.seed,
                    protocol=protocol.name,
                    clip_id=row.clip_id,
                    subject_id=row.subject_id,
                    kind=row.kind,
                    frame=frames.frames[index],
                    abs_rel=scores.abs_rel[place].item(),
                    delta1=scores.delta1[place].item(),
                    rmse=scores.rmse[place].item(),
                    pixels=int(scores.pixels[place]),
                    scale=alignment.scale[place].item(),
                    shift=alignment.shift[place].item(),
                    flipped=bool(alignment.is_flipped[place]),
                )
            )
    return scored


def mean_scores(scored: Sequence[FrameScore], protocol: Protocol) -> dict[str, dict[str, MeanScore]]:
    """Estimator -> "all", "studio", "wild" -> means; kinds without frames are left out."""
    here = [score for score in scored if score.protocol == protocol.name]
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


def scores_csv(scored: Sequence[FrameScore]) -> bytes:
    """One line a score."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(FrameScore.model_fields), lineterminator="\n")
    writer.writeheader()
    writer.writerows(score.model_dump() for score in scored)
    return text.getvalue().encode()
