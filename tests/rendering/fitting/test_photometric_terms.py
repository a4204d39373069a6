import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from rendering.fitting.photometric_terms import sample_frames

SIDE, REDUCTION, LEFT, TOP = 40, 3.0, 12.0, 7.0
VIEW = np.array([500.0, 70.0, 65.0])


def test_samples_are_bilinear_values_and_their_central_differences():
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (1, SIDE, SIDE), dtype=np.uint8)
    points = np.concatenate([random.uniform(-0.2, 0.2, (1, 300, 2)), np.zeros((1, 300, 1))], axis=2)
    position = np.array([[0.01, -0.02, np.log(1.5)]])
    brightness, gradient = sample_frames(
        image, points, np.zeros((1, 3)), position, VIEW, np.array([LEFT, TOP, REDUCTION])
    )
    pixels = VIEW[0] * (points[0, :, :2] / 1.5 + position[0, :2]) + VIEW[1:]
    column, row = ((pixels - [LEFT, TOP]) / REDUCTION - 0.5).T
    seen = np.isfinite(brightness[0])

    def value(x, y):
        return map_coordinates(image[0].astype(np.float64), [y[seen], x[seen]], order=1) / 255

    across = (value(column + 1, row) - value(column - 1, row)) / (2 * REDUCTION)
    down = (value(column, row + 1) - value(column, row - 1)) / (2 * REDUCTION)
    assert 30 < seen.sum() < 300
    assert brightness[0, seen] == pytest.approx(value(column, row), abs=1e-6)
    assert gradient[0, seen] == pytest.approx(np.stack([across, down], axis=1), abs=1e-6)
    inside = (np.minimum(column, row) >= 1) & (np.maximum(column, row) < SIDE - 2.001)
    assert np.array_equal(seen, inside)
