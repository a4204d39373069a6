"""Depth of all estimators, scored and written: frames without a score do not stop the evaluation."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from model.metrics.depth_estimators import DepthEstimate, DepthSampling, EstimatorInput
from model.metrics.depth_metrics import FLAT
from model.samples.pictures import Pictures
from tasks.evaluation import evaluate_depth
from tasks.evaluation.evaluate_depth import (
    BATCH,
    MODEL,
    Estimates,
    _in_batches,
    depth_strips,
    estimate_depth,
    score_depth,
)
from tasks.evaluation.held_out_frames import HeldOutFrames
from tasks.evaluation.results import DEPTH, DepthEvaluation
from tasks.evaluation.score_depth import MEAN_MAP, NamedEstimate
from tests.tasks.evaluation.synthetic_frames import synthetic_frames
from tests.tasks.evaluation.test_write_page import FACTS

PEOPLE = [("a", 2), ("b", 3)]


def flattened(frames: HeldOutFrames, places: slice) -> HeldOutFrames:
    code = frames.pictures.code.clone()
    code[places] = torch.where(frames.pictures.mask[places], 0.25, code[places])
    pictures = Pictures(rgb=frames.pictures.rgb, code=code, mask=frames.pictures.mask)
    return replace(frames, pictures=pictures)


def named(estimator: str, seed: int | None, code: torch.Tensor) -> NamedEstimate:
    return NamedEstimate(estimator=estimator, seed=seed, depth=DepthEstimate.everywhere(code))


def judged(frames: HeldOutFrames, folder: Path) -> DepthEvaluation:
    """The evaluation of a perfect model beside a random map."""
    facts = {name: FACTS[name] for name in FACTS if name not in ("strips", "steps", "seeds")}
    evaluation = SimpleNamespace(frames=frames, facts=facts)
    estimates = (
        named(MODEL, 0, synthetic_frames(PEOPLE).pictures.code),
        named(MEAN_MAP, None, torch.rand(5, 16, 16)),
    )
    sampling = DepthSampling(steps=3, samples=2, seeds=1)
    return score_depth.fn(evaluation, Estimates(estimates=estimates, sampling=sampling), out=folder)


def test_a_flat_frame_is_left_out_and_told(tmp_path: Path) -> None:
    frames = replace(flattened(synthetic_frames(PEOPLE), slice(1, 2)), skinless=4)
    result = judged(frames, tmp_path)
    assert result == DepthEvaluation.model_validate_json((tmp_path / DEPTH).read_bytes())
    assert (result.frames, result.subjects, result.skinless) == (5, 2, 4)
    assert (result.steps, result.samples, result.seeds) == (3, 2, 1)
    assert result.labels[MODEL] == "the model, image to depth"
    assert result.left_out == {MODEL: {FLAT: 1}, MEAN_MAP: {FLAT: 1}}
    for protocol in ("metric", "paper"):
        model = result.scores[protocol][MODEL]["all"]
        assert model.frames == 4
        assert model.rmse_over_mean_map < 1e-3
    reasons = [line["reason"] for line in csv.DictReader((tmp_path / "depth.csv").open())]
    assert sum(map(bool, reasons)) == 2 * 2
    assert all((tmp_path / strip.file).is_file() for strip in result.strips)


def test_where_nothing_can_be_scored_the_reasons_are_named(tmp_path: Path) -> None:
    frames = flattened(synthetic_frames(PEOPLE), slice(None))
    with pytest.raises(ValueError, match=rf"none of 5 frames can be scored: \{{'{FLAT}': 5\}}"):
        judged(frames, tmp_path)


def test_strips_are_of_the_same_frames() -> None:
    frames = synthetic_frames(PEOPLE)
    strips = list(depth_strips(frames, named(MODEL, 0, frames.pictures.code)))
    assert [name for name, *_ in strips] == ["depth_rgb", "depth_truth", "depth_estimate", "depth_error"]
    assert {len(tiles) for *_, tiles in strips} == {len(frames)}
    truth, estimate = strips[1][3], strips[2][3]
    for one, other in zip(truth, estimate, strict=True):
        assert abs(one.astype(int) - other).mean() < 2  # a perfect estimate looks like the truth


def test_frames_are_estimated_in_batches_in_order() -> None:
    frames = synthetic_frames([("a", 2 * BATCH + 3)])
    sizes = []

    class FirstChannel:
        def estimate(self, batch: EstimatorInput) -> DepthEstimate:
            sizes.append(len(batch))
            assert len(batch.rows) == len(batch.true_code) == len(batch)
            return DepthEstimate.everywhere(batch.rgb[:, 0])

    assert torch.equal(_in_batches(FirstChannel(), frames).code, frames.rgb[:, 0])
    assert sizes == [BATCH, BATCH, 3]


def test_a_random_estimator_is_asked_once_a_seed_and_one_that_does_not_apply_never(monkeypatch) -> None:
    frames = synthetic_frames(PEOPLE)
    asked = []

    class Same:
        name, is_random = "same", False

        def estimate(self, batch: EstimatorInput) -> DepthEstimate:
            return DepthEstimate.everywhere(batch.true_code)

    class Random(Same):
        name, is_random = "random", True

    class Absent(Same):
        name = "absent"

    def opener(estimator):
        def opened(_evaluation, sampling: DepthSampling, seed: int):
            asked.append((sampling.steps, seed))
            return estimator

        return opened

    table = {Random: opener(Random()), Absent: opener(None), Same: opener(Same())}
    monkeypatch.setattr(evaluate_depth, "ESTIMATORS", table)
    sampling = DepthSampling(steps=3, samples=1, seeds=2)
    found = estimate_depth.fn(SimpleNamespace(frames=frames), sampling).estimates
    assert [(one.estimator, one.seed) for one in found] == [("random", 0), ("random", 1), ("same", None)]
    assert asked == [(3, 0), (3, 1), (3, 0), (3, 0)]
    assert all(torch.equal(one.depth.code, frames.pictures.code) for one in found)
