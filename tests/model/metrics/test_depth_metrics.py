"""Depth metrics: exact cases, alignment, guards, and the paper's kind of numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from model.metrics.depth_metrics import FLAT, METRIC, PAPER, TOO_SMALL, align, depth_scores, why_unscored

PROTOCOLS = pytest.mark.parametrize("protocol", [METRIC, PAPER], ids=lambda protocol: protocol.name)


def scene(batch: int = 2, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, list[str]]:
    generator = torch.Generator().manual_seed(seed)
    truth_m = 0.8 + 0.15 * torch.rand(batch, 12, 10, generator=generator)
    mask = torch.rand(batch, 12, 10, generator=generator) > 0.4
    return truth_m, mask, [f"clip {index}" for index in range(batch)]


@PROTOCOLS
def test_perfect_depth_is_0_1_0(protocol) -> None:
    truth_m, mask, names = scene()
    scores = depth_scores(truth_m, truth_m, mask, protocol=protocol, names=names)
    torch.testing.assert_close(scores.abs_rel, torch.zeros(2).double(), atol=1e-12, rtol=0)
    torch.testing.assert_close(scores.rmse, torch.zeros(2).double(), atol=1e-9, rtol=0)
    assert scores.delta1.tolist() == [1, 1]
    assert not scores.alignment.is_flipped.any()


@settings(max_examples=40)
@given(
    scale=st.floats(min_value=1e-3, max_value=1e3),
    shift=st.floats(min_value=-5, max_value=5),
    seed=st.integers(0, 99),
)
def test_an_affine_distortion_is_undone(scale: float, shift: float, seed: int) -> None:
    truth_m, mask, names = scene(seed=seed)
    noisy = truth_m.double() + 0.01 * torch.randn(
        truth_m.shape, generator=torch.Generator().manual_seed(seed)
    )
    for protocol in (METRIC, PAPER):
        plain = depth_scores(noisy, truth_m, mask, protocol=protocol, names=names)
        bent = depth_scores(scale * noisy + shift, truth_m, mask, protocol=protocol, names=names)
        for figure in ("abs_rel", "delta1", "rmse"):
            torch.testing.assert_close(getattr(bent, figure), getattr(plain, figure), rtol=1e-6, atol=1e-9)


def test_example_by_hand() -> None:
    # estimate 0, 1, 2; truth 1, 2, 4 m: scale 1.5, shift 5/6, aligned 5/6, 14/6, 23/6
    estimate, truth_m = torch.tensor([[[0.0, 1.0, 2.0, 99.0]]]), torch.tensor([[[1.0, 2.0, 4.0, 1.0]]])
    mask = torch.tensor([[[True, True, True, False]]])
    scores = depth_scores(estimate, truth_m, mask, protocol=METRIC, names=["hand"])
    assert scores.alignment.scale.item() == pytest.approx(1.5)
    assert scores.alignment.shift.item() == pytest.approx(5 / 6)
    assert scores.abs_rel.item() == pytest.approx((1 / 6 + 1 / 6 + 1 / 24) / 3)
    assert scores.rmse.item() == pytest.approx(1000 * np.sqrt((1 / 36 + 1 / 9 + 1 / 36) / 3))
    assert scores.delta1.item() == 1
    assert scores.pixels.item() == 3
    # near-bright truth 1, 2/3, 0; aligned 1 + 1/18, 5/9, 1/18; the last pixel is under the cut
    paper = depth_scores(estimate, truth_m, mask, protocol=PAPER, names=["hand"])
    assert paper.pixels.item() == 2
    assert paper.abs_rel.item() == pytest.approx((1 / 18 + 1 / 6) / 2)
    assert paper.rmse.item() == pytest.approx(np.sqrt((1 / 18**2 + 1 / 81) / 2))


def test_scale_and_shift_are_those_of_least_squares() -> None:
    truth_m, mask, names = scene()
    estimate = torch.rand(truth_m.shape, generator=torch.Generator().manual_seed(5))
    found = align(estimate, truth_m, mask, names=names)
    for index in range(2):
        source, wanted = estimate[index][mask[index]].numpy(), truth_m[index][mask[index]].numpy()
        system = np.stack([source, np.ones_like(source)], axis=1).astype(np.float64)
        expected = np.linalg.lstsq(system, wanted.astype(np.float64), rcond=None)[0]
        np.testing.assert_allclose([found.scale[index], found.shift[index]], expected, rtol=1e-9)


@PROTOCOLS
def test_what_lies_off_the_mask_does_not_count(protocol) -> None:
    truth_m, mask, names = scene()
    estimate = truth_m + 0.02 * torch.rand(truth_m.shape, generator=torch.Generator().manual_seed(3))
    clean = depth_scores(estimate, truth_m, mask, protocol=protocol, names=names)
    estimate[~mask], truth_m[~mask] = torch.nan, torch.inf
    dirty = depth_scores(estimate, truth_m, mask, protocol=protocol, names=names)
    assert torch.equal(clean.rmse, dirty.rmse)
    assert torch.equal(clean.abs_rel, dirty.abs_rel)


@PROTOCOLS
def test_a_constant_estimate_gets_a_shift_only(protocol) -> None:
    truth_m, mask, names = scene()
    scores = depth_scores(torch.full_like(truth_m, 0.7), truth_m, mask, protocol=protocol, names=names)
    assert scores.alignment.is_degenerate.all()
    assert scores.alignment.scale.tolist() == [0, 0]
    if protocol is METRIC:
        spread = torch.stack([truth_m[index][mask[index]].double().std(correction=0) for index in range(2)])
        torch.testing.assert_close(scores.rmse, 1000 * spread)


@PROTOCOLS
def test_an_inside_out_estimate_is_flagged(protocol) -> None:
    truth_m, mask, names = scene()
    scores = depth_scores(
        torch.stack([truth_m[0], -truth_m[1]]), truth_m, mask, protocol=protocol, names=names
    )
    assert scores.alignment.is_flipped.tolist() == [False, True]


def test_an_empty_mask_and_bad_values_name_the_sample() -> None:
    truth_m, mask, names = scene(3)
    empty = mask.clone()
    empty[1] = False
    with pytest.raises(ValueError, match="clip 1: the mask is empty"):
        depth_scores(truth_m, truth_m, empty, protocol=METRIC, names=names)
    with pytest.raises(ValueError, match="clip 2: a depth on the mask is not finite"):
        align(
            torch.where(torch.arange(3)[:, None, None] == 2, torch.nan, truth_m), truth_m, mask, names=names
        )
    with pytest.raises(ValueError, match="clip 0: the ground truth is flat"):
        depth_scores(truth_m, torch.ones_like(truth_m), mask, protocol=PAPER, names=names)
    with pytest.raises(ValueError, match="a bool mask"):
        align(truth_m, truth_m, mask.float(), names=names)


def cone_with_error_field() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A face at 1 m with 16 cm relief, its estimate off by a smooth field of 0.047 of the range."""
    y, x = np.mgrid[-1:1:128j, -1:1:128j]
    radius = np.hypot(x, y)
    field = gaussian_filter(np.random.default_rng(0).normal(size=radius.shape), 4)
    truth = torch.from_numpy(1 + 0.16 * radius)[None]
    inside = torch.from_numpy(radius < 1)[None]
    field = torch.from_numpy(field / field[radius < 1].std())[None]
    return truth + 0.047 * 0.16 * field, truth, inside


def test_the_papers_numbers_are_of_its_protocol() -> None:
    """The same errors look perfect in metres and like the paper's table (.162/.765/.047) in its protocol."""
    estimate, truth_m, mask = cone_with_error_field()
    metric = depth_scores(estimate, truth_m, mask, protocol=METRIC, names=["cone"])
    assert 0.004 < metric.abs_rel.item() < 0.008
    assert metric.delta1.item() == 1
    paper = depth_scores(estimate, truth_m, mask, protocol=PAPER, names=["cone"])
    assert 0.12 < paper.abs_rel.item() < 0.21
    assert 0.70 < paper.delta1.item() < 0.85
    assert 0.040 < paper.rmse.item() < 0.050


def test_a_number_says_what_it_is() -> None:
    """Marigold #40, sapiens #199: numbers without their protocol could not be reproduced."""
    for word in ("paper", "depth", "normalised_near_bright", "0.05"):
        assert word in str(PAPER)
    assert "mm" in str(METRIC)


def test_what_cannot_be_scored_is_told_before() -> None:
    """A flat truth has any estimate right after a shift, two pixels have it right after scale and shift."""
    truth_m, mask, names = scene(5)
    truth_m[1] = torch.where(mask[1], 0.9, truth_m[1])
    for place, pixels in ((2, 0), (3, 2), (4, 3)):
        mask[place] = False
        mask[place, 0, :pixels] = True
    assert why_unscored(truth_m, mask) == [None, FLAT, TOO_SMALL, TOO_SMALL, None]
    estimate = torch.rand(truth_m.shape, generator=torch.Generator().manual_seed(1))
    some = torch.tensor([1, 3, 4])
    scores = depth_scores(
        estimate[some], truth_m[some], mask[some], protocol=METRIC, names=[names[index] for index in some]
    )
    assert (scores.rmse[:2] < 1e-4).all()
    assert scores.rmse[2] > 1
