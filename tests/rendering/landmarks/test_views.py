import numpy as np

from rendering.builtin.head import builtin_head
from rendering.builtin.parts import BodyPart
from rendering.landmarks.face_mesh_points import LEFT_EYE, LIPS_OUTER
from rendering.landmarks.views import (
    BROWS,
    IRIS,
    LIPS,
    SCLERA,
    SKIN,
    VIEW_CAMERA,
    HoleCenters,
    head_pose,
    painted_albedo,
    render_view,
)


def test_turning_by_a_yaw_keeps_the_distance_to_the_camera_axis():
    turned = head_pose(np.array([[0.0, 0, -0.1]]), yaw_deg=90, pitch_deg=0)
    np.testing.assert_allclose(np.abs(turned[0]), [0.1, 0, 0.65], atol=1e-6)


def test_holes_become_eyes_and_mouth():
    head = builtin_head()
    model = head.face_model
    skin_only = model.triangles[(head.parts[model.triangles] == BodyPart.SKIN).all(axis=1)]
    posed = head_pose(model.mean, yaw_deg=0, pitch_deg=0)
    centers = {
        name: posed[np.linalg.norm(head.sites - site, axis=1).argmin()]
        for name, site in (
            ("right_eye", (-31.5, 0, 80)),
            ("left_eye", (31.5, 0, 80)),
            ("mouth", (0, -70, 100)),
        )
    }
    gray = np.full_like(posed, 0.5)
    filled = render_view(posed, skin_only, gray, HoleCenters(**centers)).image
    x, y = VIEW_CAMERA.project(centers["left_eye"]).astype(int)
    bright = np.sqrt(SCLERA) * 255 * 0.98
    # The pupil's middle is dark, the white beside it bright.
    assert (np.abs(filled[y, x] - np.sqrt(IRIS) * 255 * 0.98) < 2).all()
    row = filled[y, x - 24 : x + 24].astype(float)
    assert (np.abs(row - bright).max(axis=1) < 2).any()


def test_paint_follows_the_landmarks():
    head = builtin_head()
    posed = head_pose(head.face_model.mean, yaw_deg=0, pitch_deg=0)
    landmarks = np.zeros((478, 2))
    for ring, site, size in ((LIPS_OUTER, (0, -70, 104), 20), (LEFT_EYE, (31, 0, 80), 14)):
        middle = VIEW_CAMERA.project(posed[np.linalg.norm(head.sites - site, axis=1).argmin()])
        around = np.linspace(0, 2 * np.pi, len(ring), endpoint=False)
        landmarks[list(ring)] = middle + size * np.stack([np.cos(around), np.sin(around)], axis=1)
    albedo = painted_albedo(landmarks, posed)
    lower_lip = np.linalg.norm(head.sites - (0, -75, 104), axis=1).argmin()
    forehead = np.linalg.norm(head.sites - (0, 50, 95), axis=1).argmin()
    np.testing.assert_allclose(albedo[lower_lip], LIPS, atol=1e-6)
    np.testing.assert_allclose(albedo[forehead], SKIN, atol=1e-6)
    assert not np.isclose(albedo, np.float32(BROWS)).all(axis=1).any()
