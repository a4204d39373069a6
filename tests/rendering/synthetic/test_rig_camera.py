import cv2
import numpy as np
import pytest

from rendering.camera import Camera
from rendering.synthetic.rig_camera import MARGIN_PX, SyntheticCamera

CAMERA = SyntheticCamera(
    name="c",
    azimuth_deg=30.0,
    height_m=0.2,
    distance_m=1.0,
    pinhole=Camera(focal_x_px=300, focal_y_px=303, center_x_px=62, center_y_px=83, width=128, height=160),
    distortion=(-0.2, 0.05, 0.002, -0.001, 0.01),
)


def seen(point: tuple[float, float, float]) -> np.ndarray:
    return (CAMERA.world_to_camera @ [*point, 1])[:3]


def test_it_looks_at_the_origin_from_the_front_right_and_above() -> None:
    rotation = CAMERA.world_to_camera[:3, :3]
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1)
    np.testing.assert_allclose(seen((0, 0, 0)), [0, 0, 1], atol=1e-12)
    assert seen((0, 0.1, 0))[1] < 0  # up in the world is up in the picture
    assert seen((0.1, 0, 0))[0] > 0
    assert seen((0, 0, 0.1))[2] < 1  # the world's z comes towards the cameras


def test_the_lens_map_inverts_opencvs_distortion() -> None:
    # World points seen straight at known places of the pinhole picture, bent by OpenCV's own model.
    straight = np.array([[20.5, 30.5], [62.0, 83.0], [100.25, 140.75]])
    pinhole = CAMERA.pinhole
    rays = np.stack(
        [
            (straight[:, 0] - pinhole.center_x_px) / pinhole.focal_x_px,
            (straight[:, 1] - pinhole.center_y_px) / pinhole.focal_y_px,
            np.ones(3),
        ],
        axis=-1,
    )
    bent, _ = cv2.projectPoints(
        rays, np.zeros(3), np.zeros(3), CAMERA.opencv_matrix, np.array(CAMERA.distortion)
    )
    lens_map = CAMERA.lens_map()
    for place, where in zip(bent[:, 0], straight, strict=True):
        looked_up = cv2.remap(lens_map, *np.float32(place).reshape(2, 1, 1), interpolation=cv2.INTER_LINEAR)[
            0, 0
        ]
        np.testing.assert_allclose(looked_up - MARGIN_PX + 0.5, where, atol=0.05)


def test_the_wide_camera_sees_the_same_and_more() -> None:
    point = np.array([0.01, -0.02, 0.9])
    np.testing.assert_allclose(
        CAMERA.wide_pinhole.project(point), CAMERA.pinhole.project(point) + MARGIN_PX, atol=1e-9
    )
    lens_map = CAMERA.lens_map()
    assert lens_map.min() > 0
    assert (lens_map.max((0, 1)) < [128 + 2 * MARGIN_PX - 1, 160 + 2 * MARGIN_PX - 1]).all()
