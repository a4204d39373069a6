"""Estimates of all estimators scored and written: frames that nothing can be said of do not end it."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from model.metrics.depth_metrics import FLAT
from model.samples.pictures import Pictures
from tasks.evaluation.evaluate_depth import BATCH, MODEL, Estimates, _in_batches, depth_strips, score_depth
from tasks.evaluation.held_out_frames import TestFrames
from tasks.evaluation.results import DEPTH, DepthEvaluation
from tasks.evaluation.score_depth import MEAN_MAP, Estimate
from tests.tasks.evaluation.made_frames import made_frames
from tests.tasks.evaluation.test_write_page import FACTS

PEOPLE = [("a", 2), ("b", 3)]


def flattened(frames: TestFrames, places: slice) -> TestFrames:
    code = frames.pictures.code.clone()
    code[places] = torch.where(frames.pictures.mask[places], 0.25, code[places])
    pictures = Pictures(rgb=frames.pictures.rgb, code=code, mask=frames.pictures.mask)
    return replace(frames, pictures=pictures)


def judged(frames: TestFrames, folder: Path) -> DepthEvaluation:
    """Of a model that knows, and a map that does not."""
    facts = {name: FACTS[name] for name in FACTS if name not in ("strips", "steps", "seeds")}
    evaluation = SimpleNamespace(frames=frames, facts=facts)
    of = (
        Estimate(name=MODEL, seed=0, code=made_frames(PEOPLE).pictures.code),
        Estimate(name=MEAN_MAP, seed=None, code=torch.rand(5, 16, 16).expand(5, -1, -1)),
    )
    return score_depth.fn(evaluation, Estimates(of=of, steps=3, samples=2, seeds=1), out=folder)


def test_a_flat_frame_is_left_out_and_told(tmp_path: Path) -> None:
    frames = replace(flattened(made_frames(PEOPLE), slice(1, 2)), skinless=4)
    result = judged(frames, tmp_path)
    assert result == DepthEvaluation.model_validate_json((tmp_path / DEPTH).read_bytes())
    assert (result.frames, result.subjects, result.skinless) == (5, 2, 4)
    assert result.left_out == {MODEL: {FLAT: 1}, MEAN_MAP: {FLAT: 1}}
    for protocol in ("metric", "paper"):
        model = result.scores[protocol][MODEL]["all"]
        assert model.frames == 4
        assert model.rmse_over_mean_map < 1e-3
    reasons = [line["reason"] for line in csv.DictReader((tmp_path / "depth.csv").open())]
    assert sum(map(bool, reasons)) == 2 * 2
    assert all((tmp_path / strip.file).is_file() for strip in result.strips)


def test_where_nothing_can_be_scored_the_reasons_are_named(tmp_path: Path) -> None:
    frames = flattened(made_frames(PEOPLE), slice(None))
    with pytest.raises(ValueError, match=rf"none of 5 frames can be scored: \{{'{FLAT}': 5\}}"):
        judged(frames, tmp_path)


def test_strips_are_of_the_same_frames() -> None:
    frames = made_frames(PEOPLE)
    strips = list(depth_strips(frames, Estimate(name=MODEL, seed=0, code=frames.pictures.code)))
    assert [name for name, *_ in strips] == ["depth_rgb", "depth_truth", "depth_estimate", "depth_error"]
    assert {len(tiles) for *_, tiles in strips} == {len(frames)}
    truth, estimate = strips[1][3], strips[2][3]
    for one, other in zip(truth, estimate, strict=True):
        assert abs(one.astype(int) - other).mean() < 2  # a perfect estimate looks like the truth


def test_estimates_are_made_in_batches_in_order() -> None:
    rgb = torch.arange(2 * BATCH + 3).float()[:, None, None, None].expand(-1, 3, 2, 2)
    sizes = []

    def estimator(part):
        sizes.append(len(part))
        return part[:, 0]

    assert torch.equal(_in_batches(estimator, rgb), rgb[:, 0])
    assert sizes == [BATCH, BATCH, 3]
