import numpy as np
import pytest

from rendering.camera import Camera

CAMERA = Camera(focal_x_px=90.0, focal_y_px=110.0, center_x_px=30.3, center_y_px=27.1, width=64, height=48)


@pytest.mark.parametrize(
    "matrix", [CAMERA.matrix, CAMERA.matrix.ravel(), tuple(CAMERA.matrix.ravel()), CAMERA.matrix.tolist()]
)
def test_a_camera_is_read_back_from_its_matrix(matrix):
    assert Camera.from_matrix(matrix, width=64, height=48) == CAMERA


def test_unprojected_pixel_centres_project_to_themselves():
    points = CAMERA.unproject(np.full((48, 64), 0.7))
    rows, columns = np.mgrid[:48, :64] + 0.5
    np.testing.assert_allclose(CAMERA.project(points), np.stack([columns, rows], axis=-1), atol=1e-9)
