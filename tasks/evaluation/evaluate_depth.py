"""Depth of a split by the model and by what it has to beat."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from prefect import task
from prefect.cache_policies import NO_CACHE
from torch import Tensor

from model.depth_estimators import DepthEstimator, MeanDepth, PipelineDepth, through_vae
from model.metrics import METRIC, align
from tasks.clip_pictures import load_pictures
from tasks.evaluation.fit_baseline import fit_stills
from tasks.evaluation.open_evaluation import Evaluation
from tasks.evaluation.score_depth import MEAN_MAP, Estimate
from tasks.evaluation.strips import Tile, error_tile, metres_tile, rgb_tile
from tasks.evaluation.test_frames import TestFrames, depth_range
from tasks.read_version import split_rows
from tasks.report.contact_sheet import shown_frames

BATCH = 32
MODEL, VAE_BOUND, FIT_3DMM = "model", "vae_bound", "fit_3dmm"
COLUMNS = 8


@task(task_run_name="estimate depth", cache_policy=NO_CACHE, persist_result=False)
def estimate_depth(evaluation: Evaluation, *, steps: int, samples: int, seeds: int) -> list[Estimate]:
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
    return estimates


def depth_strips(frames: TestFrames, estimate: Estimate) -> Iterator[tuple[str, str, str, list[Tile]]]:
    """Name, label, note and tiles: RGB, truth, estimate and error of frames spread over the split."""
    chosen = shown_frames(len(frames), COLUMNS)
    masks = frames.pictures.mask
    aligned = _aligned(frames, estimate, chosen)
    ranges = [depth_range(frames.rows[index]) for index in chosen]
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
    """Of the train split, each kind as it is there."""
    rows = split_rows(evaluation.version.rows, "train")
    if not rows:
        raise ValueError("the version has no published train clips to take the mean depth map of")
    return MeanDepth.of(
        load_pictures(evaluation.store.checked_blob(evaluation.pictures[row.clip_id])) for row in rows
    )


def _aligned(frames: TestFrames, estimate: Estimate, chosen: Sequence[int]) -> list[Tensor]:
    """The estimate of some frames in metres."""
    some = list(chosen)
    code, truth, mask = estimate.code[some], frames.truth_m[some], frames.pictures.mask[some]
    names = [frames.names[index] for index in some]
    assert METRIC.alignment_space == "depth", "the pictures show what is scored"
    return list(align(code, truth, mask, names=names).apply(code).float())
