"""Depth of a split by the model and by what it has to beat."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from prefect import task
from prefect.cache_policies import NO_CACHE
from torch import Tensor

from model.metrics.depth_estimators import DepthEstimator, MeanDepth, PipelineDepth, through_vae
from model.metrics.depth_metrics import METRIC, align
from model.samples.manifest import ManifestRow
from tasks.dataset.read_version import Split, split_rows
from tasks.evaluation.fit_baseline import fit_stills
from tasks.evaluation.held_out_frames import TestFrames
from tasks.evaluation.open_evaluation import Evaluation
from tasks.evaluation.results import DEPTH, DepthEvaluation, write_result
from tasks.evaluation.score_depth import (
    MEAN_MAP,
    PROTOCOLS,
    Estimate,
    count_left_out,
    mean_scores,
    score_frames,
    scores_csv,
)
from tasks.evaluation.strips import LabelledTiles, Tile, error_tile, metres_tile, rgb_tile, write_strips
from tasks.report.contact_sheet import shown_frames

BATCH = 32
MODEL, VAE_BOUND, FIT_3DMM = "model", "vae_bound", "fit_3dmm"
COLUMNS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimates:
    """Depth of all frames by all estimators, the model first, and how it was sampled."""

    of: tuple[Estimate, ...]
    steps: int
    samples: int
    seeds: int


@task(task_run_name="estimate depth", cache_policy=NO_CACHE, persist_result=False)
def estimate_depth(evaluation: Evaluation, *, steps: int, samples: int, seeds: int) -> Estimates:
    """The model once a seed, then the constant mean map, the VAE's bound and the 3DMM fit."""
    frames = evaluation.frames
    pipeline = evaluation.model.pipeline
    estimates = [
        Estimate(
            name=MODEL,
            seed=seed,
            code=_in_batches(
                PipelineDepth(pipeline=pipeline, steps=steps, samples=samples, seed=seed), frames.rgb
            ),
        )
        for seed in range(seeds)
    ]
    estimates.append(Estimate(name=MEAN_MAP, seed=None, code=_mean_map(evaluation)(frames.rgb)))
    bound = torch.cat([through_vae(pipeline.vae, code) for code in torch.split(frames.pictures.code, BATCH)])
    estimates.append(Estimate(name=VAE_BOUND, seed=None, code=bound))
    if bool(frames.of_kind("studio").any()):
        fits = fit_stills(evaluation.version, evaluation.store, frames.rows, side_px=evaluation.side_px)
        estimates.append(Estimate(name=FIT_3DMM, seed=None, code=fits.code, cover=fits.cover))
    return Estimates(of=tuple(estimates), steps=steps, samples=samples, seeds=seeds)


@task(task_run_name="score depth", cache_policy=NO_CACHE, persist_result=False)
def score_depth(evaluation: Evaluation, estimates: Estimates, *, out: Path) -> DepthEvaluation:
    """Score the estimates and write depth.csv, depth.json and pictures of the model's first.

    Raises:
        ValueError: no frame can be scored.
    """
    frames = evaluation.frames
    lines = [line for estimate in estimates.of for line in score_frames(frames, estimate)]
    write_result(out, "depth.csv", scores_csv(lines))
    left_out = count_left_out(lines)
    scores = {str(protocol.name): mean_scores(lines, protocol) for protocol in PROTOCOLS}
    if MODEL not in scores[METRIC.name]:
        raise ValueError(f"none of {len(frames)} frames can be scored: {left_out[MODEL]}; evaluate others")
    result = DepthEvaluation(
        **evaluation.facts,
        strips=write_strips(out, depth_strips(frames, estimates.of[0])),
        frames=len(frames),
        skinless=frames.skinless,
        left_out=left_out,
        subjects=len({row.subject_id for row in frames.rows}),
        steps=estimates.steps,
        samples=estimates.samples,
        seeds=estimates.seeds,
        protocols={protocol.name: str(protocol) for protocol in PROTOCOLS},
        scores=scores,
    )
    write_result(out, DEPTH, (result.model_dump_json(indent=1) + "\n").encode())
    return result


def mean_map_clips(rows: Sequence[ManifestRow], _split: Split) -> list[ManifestRow]:
    """Those that the mean map is the mean of: the train split, each kind as it is there.

    Raises:
        ValueError: there are none.
    """
    train = split_rows(rows, "train")
    if not train:
        raise ValueError("the version has no published train clips to take the mean depth map of")
    return train


def depth_strips(frames: TestFrames, estimate: Estimate) -> Iterator[LabelledTiles]:
    """Name, label, note and tiles: RGB, truth, estimate and error of frames spread over the split."""
    chosen = shown_frames(len(frames), COLUMNS)
    masks = frames.pictures.mask
    aligned = _aligned(frames, estimate, chosen)
    ranges = [frames.ranges[index] for index in chosen]
    truths = [frames.truth_m[index] for index in chosen]

    def metres(maps: Sequence[Tensor]) -> list[Tile]:
        return [
            metres_tile(one, masks[index], frames.rgb[index], near_m=seen.near_m, far_m=seen.far_m)
            for one, index, seen in zip(maps, chosen, ranges, strict=True)
        ]

    yield "depth_rgb", "RGB", "", [rgb_tile(frames.rgb[index]) for index in chosen]
    yield "depth_truth", "true depth", "a line each 10 mm", metres(truths)
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


def _in_batches(estimator: DepthEstimator, rgb: Tensor) -> Tensor:
    return torch.cat([estimator(part) for part in torch.split(rgb, BATCH)])


def _mean_map(evaluation: Evaluation) -> MeanDepth:
    rows = mean_map_clips(evaluation.version.rows, evaluation.split)
    return MeanDepth.of(part for row in rows for part in evaluation.clips.batches(row))


def _aligned(frames: TestFrames, estimate: Estimate, chosen: Sequence[int]) -> list[Tensor]:
    """The estimate of some frames in metres."""
    some = list(chosen)
    code, truth, mask = estimate.code[some], frames.truth_m[some], frames.pictures.mask[some]
    names = [frames.names[index] for index in some]
    assert METRIC.alignment_space == "depth", "the pictures show what is scored"
    return list(align(code, truth, mask, names=names).apply(code).float())
