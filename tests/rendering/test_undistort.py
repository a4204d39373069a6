"""An undistorted square shows what a pinhole camera sees there."""

import cv2
import numpy as np
import pytest

from rendering.camera import Camera
from rendering.crop_square import Square
from rendering.undistort import cut_undistorted, mesh_in_camera

WIDTH, HEIGHT = 320, 260
CAMERA = Camera(
    focal_x_px=400, focal_y_px=403, center_x_px=150.3, center_y_px=138.8, width=WIDTH, height=HEIGHT
)


def scene(x, y):
    """Smooth grey levels at normalised image coordinates."""
    return 127.5 + 60 * np.sin(14 * x + 2) + 50 * np.cos(11 * y - 8 * x)


def photograph(lens):
    """What a camera with this lens sees: every pixel looks along its undistorted ray."""
    columns, rows = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    seen = np.stack([columns, rows], axis=-1).reshape(-1, 1, 2)
    stop = (cv2.TERM_CRITERIA_COUNT, 60, 0.0)
    rays = cv2.undistortPointsIter(seen, CAMERA.matrix, np.array(lens or [0.0] * 4), None, None, stop)
    rays = rays.reshape(HEIGHT, WIDTH, 2)
    grey = np.rint(scene(rays[..., 0], rays[..., 1])).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


@pytest.mark.parametrize("lens", [[], [-0.15, 0.08, 0.002, -0.001], [0.1, 0, 0, 0, 0, 0.05, 0, 0]])
@pytest.mark.parametrize("crop_px", [64, 180, 270])
def test_square_agrees_with_the_pinhole(lens, crop_px):
    square = Square(left=70, top=40, side=180)
    crop = cut_undistorted(photograph(lens), CAMERA, lens, square, crop_px=crop_px)
    assert crop.shape == (crop_px, crop_px, 3)
    steps = (np.arange(crop_px) + 0.5) * 180 / crop_px
    x, y = (70 + steps - 150.3) / 400, (40 + steps - 138.8) / 403
    difference = crop[..., 0] - scene(*np.meshgrid(x, y))
    # half a pixel of shift would be 1.5 grey levels on average
    assert np.abs(difference).mean() < 0.6
    assert abs(difference.mean()) < 0.2


def test_square_that_leaves_the_picture_is_mirrored():
    crop = cut_undistorted(
        photograph([]), CAMERA, [0.01, 0, 0, 0], Square(left=-50, top=-50, side=200), crop_px=200
    )
    assert crop.min() > 0


def test_mesh_in_camera_scales_then_moves():
    matrix = np.eye(4)
    matrix[:3, :3] = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    matrix[:3, 3] = [0.1, 0.2, 0.3]
    found = mesh_in_camera(np.array([[10.0, 20.0, 30.0]]), matrix, unit_m=0.01)
    np.testing.assert_allclose(found, [[-0.1, 0.3, 0.6]], atol=1e-7)
