import cv2
import numpy as np
import pytest

from rendering.fitting.inliers import vertex_inliers
from rendering.fitting.patches import collect_patches
from rendering.fitting.settings import InlierSettings, PhotometricSettings
from rendering.relighting.shading import SH_BAND_0, ambient_light, render_image, shade_vertices
from tests.rendering.fitting.toy_face import CAMERA, posed_vertices

SKIN = np.array([0.7, 0.5, 0.4])


@pytest.fixture(scope="module")
def inlier(face_model, clip):
    """A face with a dark fringe over one side of its forehead."""
    light = ambient_light(np.ones(3))
    colors = np.tile(SKIN, (len(face_model.mean), 1))
    x, y, _ = face_model.mean.T
    fringe = (y < -0.055) & (x > 0.0)
    colors[fringe] = 0.12
    vertices = posed_vertices(face_model, clip.parameters).astype(np.float32)
    background = np.full((512, 512, 3), 0.3, np.float32)
    shaded = shade_vertices(vertices, face_model.triangles, colors, light)
    frames = [
        (255 * render_image(v, face_model.triangles, CAMERA, colors=c, background=background)).astype(
            np.uint8
        )
        for v, c in zip(vertices, shaded, strict=True)
    ]
    for frame in frames[::5]:  # a hand passes the chin now and then: rare, so not an outlier of the clip
        cv2.circle(frame, (256, 400), 20, (60, 40, 30), -1)
    patches = collect_patches(
        frames, clip.landmarks, width=512, height=512, settings=PhotometricSettings(color_frames=12)
    )
    lighting = np.zeros((9, 3), np.float32)
    lighting[0] = SKIN / SH_BAND_0
    values = vertex_inliers(
        face_model,
        patches,
        clip.parameters,
        center=(CAMERA.center_x_px, CAMERA.center_y_px),
        lighting=lighting,
        settings=InlierSettings(clearance_m=0.004),
    )
    return values, fringe


def test_hair_is_out_and_skin_is_in(inlier, face_model):
    values, fringe = inlier
    x, y, _ = face_model.mean.T
    inner_fringe = (y < -0.062) & (x > 0.008) & (np.hypot(x, y) < 0.075)
    skin = (np.abs(x) < 0.04) & (y > -0.045) & (y < 0.06)
    assert np.median(values[inner_fringe]) < 0.3
    assert values[skin].min() > 0.5
    assert fringe.any()


def test_values_are_shares(inlier):
    values, _ = inlier
    assert values.dtype == np.float32
    assert 0 <= values.min() <= values.max() <= 1
