"""Which triangles are visible facial skin, from where a model's landmarks lie."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

from rendering.face_model import Int32
from rendering.landmarks.face_mesh_points import FACE_OVAL, JAW, LEFT_EYE, LIPS_OUTER, RIGHT_EYE
from rendering.landmarks.views import inside_polygon

Array = NDArray[Any]

OVAL_GROWTH = 1.08
"""The face oval reaches this much further out: it ends below the hair line."""
THROAT_MARGIN_M = 0.004


def skin_from_outline(vertices: Array, triangles: Int32, landmark_points: Array) -> NDArray[np.bool_]:
    """Triangles in front, within the face oval, outside the eyes and not on the inner side of the lips: (F,).

    Args:
        vertices: the mean mesh, (V, 3) m.
        triangles: (F, 3).
        landmark_points: (478, 3) m on it; NaN where not embedded.
    """
    corners = vertices[triangles]
    centers = corners.mean(axis=1)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    oval = _ring(landmark_points, FACE_OVAL)
    # Contour points slide inwards on some cheeks; the face is convex, so their hull is its outline.
    hull = oval[ConvexHull(oval[:, :2]).vertices, :2]
    grown = (hull - hull.mean(axis=0)) * OVAL_GROWTH + hull.mean(axis=0)
    skin = inside_polygon(centers[:, :2], grown) & (centers[:, 2] < oval[:, 2].max())
    for ring in (RIGHT_EYE, LEFT_EYE):
        skin &= ~inside_polygon(centers[:, :2], _ring(landmark_points, ring)[:, :2])
    inner_side = normals[:, 2] > 0.0
    return np.asarray(
        skin & ~(inner_side & inside_polygon(centers[:, :2], _ring(landmark_points, LIPS_OUTER)[:, :2]))
    )


def throat(vertices: Array, triangles: Int32, landmark_points: Array) -> NDArray[np.bool_]:
    """Triangles under the plane through the jaw line, from ear to chin to ear: (F,)."""
    jaw = _ring(landmark_points, JAW)
    center = jaw.mean(axis=0)
    # Least squares for y = a z + b: the face is symmetric, so the plane does not tilt sideways.
    slope = np.polyfit(jaw[:, 2] - center[2], jaw[:, 1] - center[1], 1)[0]
    offsets = vertices[triangles].mean(axis=1) - center
    below_m = (offsets[:, 1] - slope * offsets[:, 2]) / np.hypot(1.0, slope)
    return np.asarray(below_m > THROAT_MARGIN_M)


def _ring(landmark_points: Array, ring: tuple[int, ...]) -> Array:
    points = landmark_points[list(ring)]
    return np.asarray(points[np.isfinite(points[:, 0])])
