"""Lens distortion: OpenCV's formula."""

import cv2
import numpy as np
import pytest

from rendering.distortion import distort_points

LENSES = [
    [],
    [-0.12, 0.06, 0.001, -0.0007],
    [-0.2, 0.1, 0.002, -0.001, 0.03],
    [0.05, -0.02, 0.0004, 0.0009, 0.01, 0.02, -0.01, 0.005],
]


def grid():
    x, y = np.meshgrid(np.linspace(-0.5, 0.5, 9), np.linspace(-0.6, 0.6, 7))
    return np.stack([x, y], axis=-1)


@pytest.mark.parametrize("lens", LENSES)
def test_agrees_with_opencv(lens):
    points = grid().reshape(-1, 2)
    directions = np.c_[points, np.ones(len(points))]
    expected, _ = cv2.projectPoints(
        directions, np.zeros(3), np.zeros(3), np.eye(3), np.array(lens) if lens else None
    )
    np.testing.assert_allclose(distort_points(points, lens), expected[:, 0], atol=1e-12)


@pytest.mark.parametrize("bad", [[0.1], [0.1] * 6, [np.nan, 0, 0, 0]])
def test_wrong_coefficients_are_an_error(bad):
    with pytest.raises(ValueError, match="coefficients"):
        distort_points(np.zeros((1, 2)), bad)


def test_middle_of_the_lens_stays():
    assert distort_points(np.zeros((3, 2)), LENSES[-1]).tolist() == [[0, 0]] * 3
