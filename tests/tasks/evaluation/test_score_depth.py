"""Lines and means of depth scores: frames that cannot be scored have a reason and are in no mean."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest
import torch

from model.metrics.depth_estimators import DepthEstimate
from model.metrics.depth_metrics import FLAT, METRIC, PAPER, TOO_SMALL
from model.samples.pictures import Pictures
from tasks.evaluation.held_out_frames import HeldOutFrames
from tasks.evaluation.score_depth import (
    MEAN_MAP,
    NOT_COVERED,
    FrameScore,
    LeftOut,
    NamedEstimate,
    count_left_out,
    mean_scores,
    score_frames,
    scores_csv,
)
from tests.tasks.evaluation.synthetic_frames import synthetic_frames

PEOPLE = [("a", 2), ("b", 2)]


def estimate(
    frames: HeldOutFrames, *, name: str = "model", seed: int | None = 0, noise: float = 0.1
) -> NamedEstimate:
    """The ground truth and some noise."""
    generator = torch.Generator().manual_seed(7 + (seed or 0))
    code = frames.pictures.code
    depth = DepthEstimate.everywhere(code + noise * torch.randn(code.shape, generator=generator))
    return NamedEstimate(estimator=name, seed=seed, depth=depth)


def covering(estimate: NamedEstimate, cover: torch.Tensor) -> NamedEstimate:
    return replace(estimate, depth=replace(estimate.depth, mask=cover))


def changed(frames: HeldOutFrames, **parts) -> HeldOutFrames:
    pictures = frames.pictures
    fields = {"rgb": pictures.rgb, "code": pictures.code, "mask": pictures.mask}
    return replace(frames, pictures=Pictures(**{**fields, **parts}))


def flat_at(frames: HeldOutFrames, place: int) -> HeldOutFrames:
    code = frames.pictures.code.clone()
    code[place] = torch.where(frames.pictures.mask[place], 0.25, code[place])
    return changed(frames, code=code)


def small_at(frames: HeldOutFrames, place: int, pixels: int) -> HeldOutFrames:
    mask = frames.pictures.mask.clone()
    mask[place] = False
    mask[place, 8, 8 : 8 + pixels] = True
    return changed(frames, mask=mask)


def scored(lines: list) -> list[FrameScore]:
    return [line for line in lines if isinstance(line, FrameScore)]


def test_a_line_for_every_frame_and_protocol() -> None:
    frames = synthetic_frames(PEOPLE)
    lines = score_frames(frames, estimate(frames))
    assert [(line.protocol, line.clip_id, line.frame) for line in lines] == [
        (protocol, f"clip_{name}", frame)
        for protocol in ("metric", "paper")
        for name in "ab"
        for frame in range(2)
    ]
    assert len(scored(lines)) == len(lines)
    perfect = score_frames(frames, estimate(frames, noise=0))
    assert max(line.rmse for line in scored(perfect)) < 1e-3
    assert not any(line.flipped for line in scored(perfect))
    flipped = NamedEstimate(estimator="x", seed=None, depth=DepthEstimate.everywhere(-frames.pictures.code))
    assert all(line.flipped for line in scored(score_frames(frames, flipped)))


@pytest.mark.parametrize(
    ("spoilt", "reason"),
    [
        (flat_at, FLAT),
        (lambda frames, place: small_at(frames, place, 2), TOO_SMALL),
        (lambda frames, place: small_at(frames, place, 1), TOO_SMALL),
    ],
)
def test_a_frame_without_a_score_has_its_reason_and_costs_the_others_nothing(spoilt, reason) -> None:
    whole = synthetic_frames(PEOPLE)
    frames, guess = spoilt(whole, 1), estimate(whole)
    lines = score_frames(frames, guess)
    left_out = [line for line in lines if isinstance(line, LeftOut)]
    assert [(line.protocol, line.clip_id, line.frame, line.reason) for line in left_out] == [
        ("metric", "clip_a", 1, reason),
        ("paper", "clip_a", 1, reason),
    ]
    expected = [line for line in score_frames(whole, guess) if (line.clip_id, line.frame) != ("clip_a", 1)]
    assert scored(lines) == expected
    base = score_frames(frames, estimate(whole, name=MEAN_MAP, seed=None))
    for protocol in (METRIC, PAPER):
        means = mean_scores([*lines, *base], protocol)
        assert means["model"]["all"].frames == means[MEAN_MAP]["all"].frames == 3


def test_three_pixels_are_scored() -> None:
    frames = small_at(synthetic_frames(PEOPLE), 1, 3)
    assert len(scored(score_frames(frames, estimate(frames)))) == 8


def test_what_an_estimator_does_not_cover_is_left_out_and_counted_once_for_all_seeds() -> None:
    frames = synthetic_frames(PEOPLE)
    cover = torch.ones_like(frames.pictures.mask)
    cover[2:] = False
    lines = []
    for seed in range(3):
        lines += score_frames(flat_at(frames, 0), covering(estimate(frames, seed=seed), cover))
    assert count_left_out(lines) == {"model": {FLAT: 1, NOT_COVERED: 2}}
    assert count_left_out(score_frames(frames, estimate(frames))) == {}


def test_a_frame_without_an_estimate_has_the_estimators_reason() -> None:
    frames = synthetic_frames(PEOPLE)
    guess = estimate(frames)
    cover = torch.ones_like(frames.pictures.mask)
    cover[1] = False
    depth = replace(guess.depth, mask=cover, reasons=(None, "no face is found", None, None))
    lines = score_frames(frames, replace(guess, depth=depth))
    assert count_left_out(lines) == {"model": {"no face is found": 1}}
    assert len(scored(lines)) == 2 * 3


def test_nothing_covered_is_in_no_mean() -> None:
    frames = synthetic_frames(PEOPLE)
    none = covering(estimate(frames), torch.zeros_like(frames.pictures.mask))
    assert mean_scores(score_frames(frames, none), METRIC) == {}


def test_means_are_over_frames_and_ratios_over_the_mean_map_on_the_same_frames() -> None:
    frames = synthetic_frames(PEOPLE)
    base = estimate(frames, name=MEAN_MAP, seed=None)
    seeds = [estimate(frames, seed=seed, noise=0.05) for seed in range(2)]
    lines = [line for one in (*seeds, base) for line in score_frames(frames, one)]
    means = mean_scores(lines, METRIC)
    assert set(means["model"]) == {"all", "wild"}
    assert means[MEAN_MAP]["all"].rmse_over_mean_map == 1
    model = means["model"]["all"]
    rmse = [line.rmse for line in scored(lines) if (line.estimator, line.protocol) == ("model", "metric")]
    assert model.rmse == pytest.approx(sum(rmse) / 8)
    assert model.rmse_over_mean_map == pytest.approx(model.rmse / means[MEAN_MAP]["all"].rmse)
    assert len(set(model.rmse_over_mean_map_by_seed)) == 2


def test_a_table_has_all_lines_and_empty_figures_where_there_is_a_reason() -> None:
    frames = flat_at(synthetic_frames(PEOPLE), 3)
    rows = list(csv.DictReader(io.StringIO(scores_csv(score_frames(frames, estimate(frames))).decode())))
    assert len(rows) == 8
    assert [row["reason"] for row in rows] == ["", "", "", FLAT] * 2
    assert all(bool(row["rmse"]) != bool(row["reason"]) for row in rows)
