"""Boxes, their overlap and the window that follows a face."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.faces.boxes import area, landmark_box, needs_new_window, overlap, window_around

BOX = np.array([10.0, 20.0, 50.0, 80.0])
GROWN, SHRUNK = np.add(BOX, [-9, -9, 9, 9]), np.add(BOX, [9, 9, -9, -9])


def test_landmark_box_is_their_extent() -> None:
    landmarks = np.array([[[10, 80, 5], [50, 20, -9]], [[0, 0, 1], [1, 2, 3]]], np.float32)
    np.testing.assert_array_equal(landmark_box(landmarks), [[10, 20, 50, 80], [0, 0, 1, 2]])


@pytest.mark.parametrize(("shift", "expected"), [(0, 1.0), (20, 1 / 3), (40, 0.0), (100, 0.0)])
def test_overlap(shift: float, expected: float) -> None:
    assert overlap(BOX, np.add(BOX, [shift, 0, shift, 0])) == pytest.approx(expected)
    assert area(BOX) == 2400


def test_window_is_a_square_of_whole_pixels_around_the_box() -> None:
    window = window_around(BOX, scale=2.0)
    np.testing.assert_array_equal(window, [-30, -10, 90, 110])


@pytest.mark.parametrize(
    ("box", "new"),
    [
        (BOX, False),
        (BOX + 5, False),
        (BOX + 15, True),
        (BOX * 1.3, True),
        (BOX * 1.05, False),
        (GROWN, True),
        (SHRUNK, True),
    ],
)
def test_window_stays_until_the_face_leaves_it(box: np.ndarray, new: bool) -> None:
    assert needs_new_window(window_around(BOX, scale=2.0), box, scale=2.0) == new
