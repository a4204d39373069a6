"""Depth codes: the round trip, the order near to far, and what lies outside."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from model.samples.depth_code import DepthRange, as_picture, from_picture

NEAR = st.floats(min_value=0.2, max_value=3.0)
RATIO = st.floats(min_value=1.01, max_value=2.9)


@given(near_m=NEAR, ratio=RATIO, seed=st.integers(0, 2**32))
def test_metres_come_back_to_the_bit(near_m: float, ratio: float, seed: int) -> None:
    depth_range = DepthRange(near_m=near_m, far_m=near_m * ratio)
    share = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(seed))
    depth_m = (near_m + share.double() * near_m * (ratio - 1)).float()
    depth_m = depth_m.clamp(
        depth_m.new_tensor(near_m * (1 + 1e-6)), depth_m.new_tensor(near_m * ratio * 0.999)
    )
    code = depth_range.encode(depth_m)
    assert code.dtype == torch.float32
    assert torch.equal(depth_range.decode(code), depth_m)


def test_near_is_minus_one_far_and_no_surface_plus_one() -> None:
    depth_range = DepthRange(near_m=0.5, far_m=0.75)
    code = depth_range.encode(torch.tensor([0.5, 0.625, 0.75, 0.0]))
    torch.testing.assert_close(code, torch.tensor([-1.0, 0.0, 1.0, 1.0]), rtol=0, atol=0)
    assert depth_range.code_unit_m == 0.125


def test_what_lies_outside_is_clipped() -> None:
    depth_range = DepthRange(near_m=0.5, far_m=0.75)
    assert depth_range.encode(torch.tensor([0.1, 2.0])).tolist() == [-1, 1]
    assert depth_range.decode(torch.tensor([-3.0, 3.0])).tolist() == [0.5, 0.75]


def test_codes_survive_half_precision_storage() -> None:
    depth_range = DepthRange(near_m=0.8, far_m=0.9)
    depth_m = torch.linspace(0.8, 0.9, 1001)
    stored = depth_range.encode(depth_m).half().float()
    assert (depth_range.decode(stored) - depth_m).abs().max() < 2.5e-5


@pytest.mark.parametrize(("near_m", "far_m"), [(0.0, 1.0), (1.0, 1.0), (1.0, 0.5), (0.5, float("inf"))])
def test_an_impossible_range_is_refused(near_m: float, far_m: float) -> None:
    with pytest.raises(ValueError, match="need 0 < near < far"):
        DepthRange(near_m=near_m, far_m=far_m)


def test_three_equal_channels_and_back() -> None:
    code = torch.rand(2, 4, 4) * 2 - 1
    picture = as_picture(code)
    assert picture.shape == (2, 3, 4, 4)
    torch.testing.assert_close(from_picture(picture), code)
    uneven = torch.stack([code - 0.3, code, code + 0.3], dim=1)
    torch.testing.assert_close(from_picture(uneven), code)
    assert from_picture(torch.full((1, 3, 1, 1), 1.4)).item() == 1
