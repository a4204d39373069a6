"""16-bit depth, closed slits and the mask's clean-up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rendering.skin.depth_map import DepthScale, cleaned_mask, filled_depth, slits, surface_range


@settings(deadline=None)  # the first call compiles
@given(near=st.floats(0.1, 3), extent=st.floats(0, 2), seed=st.integers(0, 99))
def test_codes_are_within_half_a_step(near: float, extent: float, seed: int) -> None:
    depth = np.random.default_rng(seed).uniform(near, near + extent, (8, 9)).astype(np.float32)
    depth = np.clip(depth, np.float32(near), np.float32(near + extent))
    depth[0, :4] = 0
    scale = DepthScale.of_range(near * (1 - 1e-6), (near + extent) * (1 + 1e-6))
    codes = scale.encode(depth)
    assert codes.dtype == np.uint16
    np.testing.assert_array_equal(codes == 0, depth == 0)
    decoded = scale.offset_m + scale.scale_m * codes[codes > 0].astype(np.float64)
    assert np.abs(decoded - depth[codes > 0]).max() <= scale.scale_m / 2 * (1 + 1e-6)
    np.testing.assert_allclose(scale.decode(codes)[codes > 0], decoded, rtol=1e-6)
    assert not scale.decode(codes)[codes == 0].any()


def test_the_range_uses_all_codes() -> None:
    scale = DepthScale.of_range(0.5, 0.7)
    assert scale.encode(np.array([[0.5, 0.7]], np.float32)).tolist() == [[1, 65535]]


def test_depth_outside_the_range_is_an_error() -> None:
    with pytest.raises(ValueError, match="outside the clip's range"):
        DepthScale.of_range(0.5, 0.6).encode(np.array([[0.55, 0.61]], np.float32))
    with pytest.raises(ValueError, match="0 < near"):
        DepthScale.of_range(-0.1, 0.6)


def face_with_holes() -> np.ndarray:
    """Skin (60, 80) with an open eye 8 px high, a closed one 2 px high, a dotted and an open lip line."""
    surface = np.zeros((60, 80), bool)
    surface[5:55, 5:75] = True
    surface[15:23, 15:30] = False
    surface[18:20, 50:65] = False
    surface[35, 20:60:3] = False
    surface[45:51, 35:45] = False
    surface[47:49, 25:55] = False
    return surface


def test_only_lines_are_closed_and_an_open_mouth_keeps_its_corners() -> None:
    surface = face_with_holes()
    closed = slits(surface, widest_px=4)
    expected = np.zeros_like(surface)
    expected[18:20, 50:65] = True
    expected[35, 20:60:3] = True
    np.testing.assert_array_equal(closed, expected)


@pytest.mark.parametrize("height", [1, 2, 3, 4, 5, 6, 7])
def test_the_limit_is_the_width_in_pixels(height: int) -> None:
    surface = np.zeros((40, 60), bool)
    surface[5:35, 5:55] = True
    surface[15 : 15 + height, 15:45] = False
    assert slits(surface, widest_px=4).any() == (height <= 4)


def test_a_notch_at_the_edge_is_no_slit() -> None:
    surface = np.zeros((40, 60), bool)
    surface[:, 5:55] = True
    surface[20:22, 5:30] = False
    assert not slits(surface, widest_px=4).any()


def test_a_narrow_margin_around_the_face_is_outside() -> None:
    surface = np.zeros((40, 60), bool)
    surface[1:-1, 1:-1] = True
    assert not slits(surface, widest_px=8).any()


def test_filled_pixels_lie_on_the_plane_around_them() -> None:
    rows, columns = np.indices((40, 60))
    plane = (0.6 + 0.001 * rows + 0.0005 * columns).astype(np.float32)
    gaps = np.zeros(plane.shape, bool)
    gaps[20:22, 15:45] = True
    holed = np.where(gaps, np.float32(0), plane)
    holed[:10] = 0
    filled = filled_depth(holed, gaps, 4)
    assert np.abs(filled - plane)[gaps].max() < 0.001
    np.testing.assert_array_equal(filled[~gaps], holed[~gaps])


def test_mask_loses_specks_and_pinholes_and_stays_inside() -> None:
    mask = np.zeros((50, 50), bool)
    mask[10:40, 10:40] = True
    within = mask.copy()
    mask[25, 25] = False
    mask[3, 3] = True
    cleaned = cleaned_mask(mask, within=within, radius_px=2)
    assert cleaned[25, 25]
    assert not cleaned[3, 3]
    assert not (cleaned & ~within).any()
    assert cleaned.sum() > 0.98 * within.sum()


def test_range_leaves_out_what_has_no_surface() -> None:
    depth = np.array([[0.0, 0.5], [0.25, 0.0]], np.float32)
    assert surface_range(depth) == (0.25, 0.5)
    assert surface_range(np.zeros_like(depth)) == (np.inf, 0.0)
