"""The square of a clip: placed inside the frame, and its transform is what the resampling does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rendering.crop_square import Square, cut_square, grown_box, square_around, square_within, union_box


def dot_frame(x: int, y: int, *, width: int = 400, height: int = 300) -> np.ndarray:
    """Black with one white block of 5 x 5 pixels whose middle pixel is (x, y)."""
    frame = np.zeros((height, width, 3), np.uint8)
    frame[y - 2 : y + 3, x - 2 : x + 3] = 255
    return frame


def centroid(crop: np.ndarray) -> np.ndarray:
    """Brightness-weighted middle in continuous pixel coordinates (x, y)."""
    weights = crop[:, :, 0].astype(np.float64)
    rows, columns = np.indices(weights.shape) + 0.5
    return np.array([(columns * weights).sum(), (rows * weights).sum()]) / weights.sum()


@pytest.mark.parametrize(
    "square",
    [
        Square(left=60, top=20, side=256),
        Square(left=100, top=50, side=97),
        Square(left=60, top=40, side=128),
        Square(left=-20, top=-10, side=300),
    ],
)
def test_a_pixels_centre_maps_to_where_the_crop_shows_it(square: Square) -> None:
    crop = cut_square(dot_frame(150, 100), square, crop_px=128)
    assert crop.shape == (128, 128, 3)
    mapped = square.transform(128) @ [150.5, 100.5, 1]
    np.testing.assert_allclose(centroid(crop), mapped[:2], atol=0.1)


def test_a_square_of_the_crops_size_copies_pixels() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (80, 90, 3), dtype=np.uint8)
    np.testing.assert_array_equal(
        cut_square(frame, Square(left=7, top=5, side=64), crop_px=64), frame[5:69, 7:71]
    )


def test_outside_the_frame_is_its_mirror_image() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (80, 90, 3), dtype=np.uint8)
    crop = cut_square(frame, Square(left=-10, top=-4, side=64), crop_px=64)
    np.testing.assert_array_equal(crop[4:, 10:], frame[:60, :54])
    np.testing.assert_array_equal(crop[4:, :10], frame[:60, 9::-1])


def test_union_leaves_out_frames_that_stand_out() -> None:
    boxes = np.tile([100.0, 100.0, 200.0, 220.0], (100, 1))
    boxes[3] = [0, 0, 400, 300]
    np.testing.assert_allclose(union_box(boxes, percentile=5), [100, 100, 200, 220])
    np.testing.assert_allclose(union_box(boxes, percentile=0), [0, 0, 400, 300])


def test_square_has_its_scale_and_lies_higher_than_the_box() -> None:
    square = square_around(np.array([100.0, 100.0, 200.0, 220.0]), scale=2.0, shift_up=0.1)
    assert square == Square(left=30, top=16, side=240)


@given(
    left=st.integers(-50, 350),
    top=st.integers(-50, 250),
    side=st.integers(20, 120),
    width=st.integers(200, 500),
    height=st.integers(150, 400),
)
def test_the_square_taken_is_inside_and_keeps_the_margin(
    left: int, top: int, side: int, width: int, height: int
) -> None:
    box = np.array([left, top, left + side, top + side], float)
    wish = square_around(box, scale=2.2, shift_up=0.1)
    inside = square_within(wish, box, width=width, height=height, least_scale=1.2)
    if inside is None:
        needed = grown_box(box, 1.2)
        too_near_the_edge = (needed < 0).any() or needed[2] > width or needed[3] > height
        assert too_near_the_edge or 1.2 * side > min(width, height) - 2
        return
    assert not inside.leaves(width, height)
    assert inside.contains(grown_box(box, 1.2))
    assert inside.side == min(wish.side, width, height)
    if not wish.leaves(width, height):
        assert inside == wish
