"""Which triangles are visible facial skin, from where a model's landmarks lie."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rendering.face_mesh_points import CHIN, FACE_OVAL, LEFT_EYE, LIPS_INNER, MOUTH_CORNERS, RIGHT_EYE
from rendering.face_model import Int32
from rendering.landmark_views import inside_polygon

Array = NDArray[Any]

OVAL_GROWTH = 1.08
"""The face oval reaches this much further out: it ends below the hair line."""
THROAT_BEHIND_CHIN_M = 0.008


def skin_from_outline(vertices: Array, triangles: Int32, landmark_points: Array) -> NDArray[np.bool_]:
    """Triangles in front, within the face oval and outside eyes and inner lips: (F,).

    Args:
        vertices: the mean mesh, (V, 3) m.
        triangles: (F, 3).
        landmark_points: (478, 3) m on it; NaN where not embedded.
    """
    centers = vertices[triangles].mean(axis=1)
    oval = _ring(landmark_points, FACE_OVAL)
    grown = (oval - oval.mean(axis=0)) * OVAL_GROWTH + oval.mean(axis=0)
    skin = inside_polygon(centers[:, :2], grown[:, :2]) & (centers[:, 2] < oval[:, 2].max())
    for ring in (RIGHT_EYE, LEFT_EYE, LIPS_INNER):
        skin &= ~inside_polygon(centers[:, :2], _ring(landmark_points, ring)[:, :2])
    return skin


def throat(vertices: Array, triangles: Int32, landmark_points: Array) -> NDArray[np.bool_]:
    """Triangles below the chin and under the jaw, facing down: (F,)."""
    corners = vertices[triangles]
    centers = corners.mean(axis=1)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    facing_down = normals[:, 1] > 0.5 * np.linalg.norm(normals, axis=1)
    chin = landmark_points[CHIN]
    mouth_y = landmark_points[list(MOUTH_CORNERS), 1].mean()
    under_jaw = (centers[:, 1] > mouth_y) & (centers[:, 2] > chin[2] + THROAT_BEHIND_CHIN_M)
    return np.asarray((centers[:, 1] > chin[1]) | (facing_down & under_jaw))


def _ring(landmark_points: Array, ring: tuple[int, ...]) -> Array:
    points = landmark_points[list(ring)]
    return points[np.isfinite(points[:, 0])]
