"""Depth evaluation of a split: the model beside baselines and bounds (paper section 5.2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE
from torch import Tensor

from model.metrics.depth_estimators import DepthEstimate, DepthEstimator, DepthSampling, PipelineDepth
from model.metrics.depth_metrics import METRIC, align
from tasks.evaluation.estimators import ESTIMATORS
from tasks.evaluation.held_out_frames import HeldOutFrames
from tasks.evaluation.open_evaluation import Evaluation
from tasks.evaluation.results import DEPTH, DepthEvaluation, write_result
from tasks.evaluation.score_depth import (
    PROTOCOLS,
    NamedEstimate,
    count_left_out,
    mean_scores,
    score_frames,
    scores_csv,
)
from tasks.evaluation.strips import LabelledTiles, Tile, error_tile, metres_tile, rgb_tile, write_strips
from tasks.report.contact_sheet import shown_frames

BATCH = 32
"""Number of frames that are estimated at once. The noise of a frame depends on its place in the batch."""
MODEL = PipelineDepth.name
COLUMNS = 8
"""Number of frames that the page shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimates:
    """Depth of all frames by all estimators, the model first, and how it was sampled."""

    estimates: tuple[NamedEstimate, ...]
    sampling: DepthSampling


@task(task_run_name="estimate depth", cache_policy=NO_CACHE, persist_result=False)
def estimate_depth(evaluation: Evaluation, sampling: DepthSampling) -> Estimates:
    """Depth of the held-out frames by every estimator of ESTIMATORS: a random one once for each seed."""
    frames = evaluation.frames
    estimates = []
    for kind, open_estimator in ESTIMATORS.items():
        for seed in range(sampling.seeds if kind.is_random else 1):
            estimator = open_estimator(evaluation, sampling, seed)
            if estimator is not None:
                depth = _in_batches(estimator, frames)
                used_seed = seed if kind.is_random else None
                estimates.append(NamedEstimate(estimator=kind.name, seed=used_seed, depth=depth))
    return Estimates(estimates=tuple(estimates), sampling=sampling)


@task(task_run_name="score depth", cache_policy=NO_CACHE, persist_result=False)
def score_depth(evaluation: Evaluation, estimates: Estimates, *, out: Path) -> DepthEvaluation:
    """Score the estimates and write depth.csv, depth.json and pictures of the model's first estimate.

    Raises:
        ValueError: no frame can be scored.
    """
    frames = evaluation.frames
    lines = [line for estimate in estimates.estimates for line in score_frames(frames, estimate)]
    write_result(out, "depth.csv", scores_csv(lines))
    left_out = count_left_out(lines)
    scores = {str(protocol.name): mean_scores(lines, protocol) for protocol in PROTOCOLS}
    if MODEL not in scores[METRIC.name]:
        raise ValueError(f"none of {len(frames)} frames can be scored: {left_out[MODEL]}; evaluate others")
    result = DepthEvaluation(
        **evaluation.facts,
        strips=write_strips(out, depth_strips(frames, estimates.estimates[0])),
        frames=len(frames),
        skinless=frames.skinless,
        left_out=left_out,
        subjects=len({row.subject_id for row in frames.rows}),
        **estimates.sampling.model_dump(),
        labels={kind.name: kind.label for kind in ESTIMATORS},
        protocols={protocol.name: str(protocol) for protocol in PROTOCOLS},
        scores=scores,
    )
    write_result(out, DEPTH, (result.model_dump_json(indent=1) + "\n").encode())
    return result


def depth_strips(frames: HeldOutFrames, estimate: NamedEstimate) -> Iterator[LabelledTiles]:
    """Name, label, note and tiles of RGB, ground truth, estimate and error of frames across the split."""
    chosen = shown_frames(len(frames), COLUMNS)
    masks = frames.pictures.mask
    aligned = _aligned(frames, estimate, chosen)
    ranges = [frames.ranges[index] for index in chosen]
    truths = [frames.truth_m[index] for index in chosen]

    def metres(maps: Sequence[Tensor]) -> list[Tile]:
        return [
            metres_tile(one, masks[index], frames.rgb[index], near_m=own.near_m, far_m=own.far_m)
            for one, index, own in zip(maps, chosen, ranges, strict=True)
        ]

    yield "depth_rgb", "RGB", "", [rgb_tile(frames.rgb[index]) for index in chosen]
    yield "depth_truth", "true depth", "a line every 10 mm", metres(truths)
    yield "depth_estimate", "estimate", "after scale and shift", metres(aligned)
    yield (
        "depth_error",
        "error",
        "red 10 mm too near, blue 10 mm too far",
        [
            error_tile((one - truth) * 1000, masks[index])
            for one, truth, index in zip(aligned, truths, chosen, strict=True)
        ],
    )


def _in_batches(estimator: DepthEstimator, frames: HeldOutFrames) -> DepthEstimate:
    return DepthEstimate.joined(
        [estimator.estimate(batch) for batch in frames.estimator_input.batches(BATCH)]
    )


def _aligned(frames: HeldOutFrames, estimate: NamedEstimate, chosen: Sequence[int]) -> list[Tensor]:
    """The estimates of the chosen frames (H, W), in metres after scale-and-shift alignment."""
    some = list(chosen)
    code, truth, mask = estimate.depth.code[some], frames.truth_m[some], frames.pictures.mask[some]
    names = [frames.names[index] for index in some]
    assert METRIC.alignment_space == "depth", "the pictures show the alignment that is scored"
    return list(align(code, truth, mask, names=names).apply(code).float())
