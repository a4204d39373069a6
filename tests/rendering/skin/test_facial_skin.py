import numpy as np

from rendering.landmarks.face_mesh_points import FACE_OVAL, JAW, LEFT_EYE, LIPS_OUTER, RIGHT_EYE
from rendering.skin.facial_skin import skin_from_outline, throat


def landmarks_on_a_ball(radius=0.1):
    """An oval, eyes and lips on a ball round the origin that looks along -z."""
    points = np.full((478, 3), np.nan, np.float32)

    def ring(ids, middle, size):
        around = np.linspace(0, 2 * np.pi, len(ids), endpoint=False)
        xy = np.array(middle) + size * np.stack([np.sin(around), -np.cos(around)], axis=1)
        points[list(ids), :2] = xy
        points[list(ids), 2] = -np.sqrt(radius**2 - (xy**2).sum(axis=1))

    ring(FACE_OVAL, (0, 0), 0.07)
    ring(LEFT_EYE, (0.03, -0.02), 0.012)
    ring(RIGHT_EYE, (-0.03, -0.02), 0.012)
    ring(LIPS_OUTER, (0, 0.035), 0.015)
    return points


def ball(radius=0.1, steps=60):
    theta, phi = np.meshgrid(np.linspace(0.02, np.pi - 0.02, steps), np.linspace(0, 2 * np.pi, steps))
    vertices = radius * np.stack(
        [np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), -np.cos(theta)], -1
    )
    ids = np.arange(steps * steps).reshape(steps, steps)
    a, b, c = ids[:-1, :-1].ravel(), ids[:-1, 1:].ravel(), ids[1:, 1:].ravel()
    return vertices.reshape(-1, 3).astype(np.float32), np.stack([a, c, b], axis=1).astype(np.int32)


def test_skin_is_the_front_without_eyes():
    vertices, triangles = ball()
    skin = skin_from_outline(vertices, triangles, landmarks_on_a_ball())
    centers = vertices[triangles].mean(axis=1)
    assert skin.any()
    assert (centers[skin, 2] < 0).all()
    assert (np.linalg.norm(centers[skin, :2], axis=1) < 0.078).all()
    assert (np.linalg.norm(centers[skin, :2] - (0.03, -0.02), axis=1) > 0.011).all()
    assert skin[np.linalg.norm(centers - (0, 0, -0.1), axis=1).argmin()]


def test_throat_is_below_the_plane_of_the_jaw_line():
    points = np.full((478, 3), np.nan, np.float32)
    depth = np.abs(np.linspace(-0.06, 0.06, len(JAW)))
    # From the ear (y 0.05, far) down to the chin (y 0.11, near).
    points[list(JAW)] = np.stack([np.linspace(-0.06, 0.06, len(JAW)), 0.11 - depth, -0.09 + depth], axis=1)
    corners = np.array(
        [[0, 0.105, -0.09], [0, 0.12, -0.05], [0, 0.0, -0.1], [0.06, 0.04, -0.03], [0, 0.2, -0.05]]
    )
    vertices = np.repeat(corners, 3, axis=0).astype(np.float32)
    triangles = np.arange(15, dtype=np.int32).reshape(5, 3)
    assert throat(vertices, triangles, points).tolist() == [False, True, False, False, True]
