"""The triangles of a face model that are visible facial skin, found from its landmarks."""

from __future__ import annotations

import numpy as np
from scipy.spatial import ConvexHull

from rendering.arrays import Array, Bool, Int32
from rendering.landmarks.face_mesh_points import FACE_OVAL, JAW, LEFT_EYE, LIPS_OUTER, RIGHT_EYE
from rendering.polygon import inside_polygon

OVAL_GROWTH = 1.08
"""The oval of MediaPipe's face mesh is enlarged by this factor: it ends well below the hair line."""
THROAT_MARGIN_M = 0.004
"""Triangles further than this under the plane of the jaw line belong to the throat."""


def skin_from_outline(vertices: Array, triangles: Int32, landmark_points: Array) -> Bool:
    """Triangles of the front of the face without eyes and the inside of the mouth: (F,).

    These are the triangles within the face oval, outside the eyes, and not on the inner side of the lips.

    Args:
        vertices: the mean mesh, (V, 3) m.
        triangles: (F, 3).
        landmark_points: landmarks on the mean mesh, (478, 3) m; NaN where not embedded.
    """
    corners = vertices[triangles]
    centers = corners.mean(axis=1)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    oval = _ring(landmark_points, FACE_OVAL)
    # On some cheeks landmarks of the oval slide inwards. A face is convex: the hull of all is its outline.
    hull = oval[ConvexHull(oval[:, :2]).vertices, :2]
    grown = (hull - hull.mean(axis=0)) * OVAL_GROWTH + hull.mean(axis=0)
    skin = inside_polygon(centers[:, :2], grown) & (centers[:, 2] < oval[:, 2].max())
    for ring in (RIGHT_EYE, LEFT_EYE):
        skin &= ~inside_polygon(centers[:, :2], _ring(landmark_points, ring)[:, :2])
    inner_side = normals[:, 2] > 0.0
    return np.asarray(
        skin & ~(inner_side & inside_polygon(centers[:, :2], _ring(landmark_points, LIPS_OUTER)[:, :2]))
    )


def throat(vertices: Array, triangles: Int32, landmark_points: Array) -> Bool:
    """Triangles under the plane through the jaw line from ear to chin to ear: (V, 3) m, (F, 3) -> (F,)."""
    jaw = _ring(landmark_points, JAW)
    center = jaw.mean(axis=0)
    # Least squares for y = a z + b: a face is symmetric, so that the plane does not tilt sideways.
    slope = np.polyfit(jaw[:, 2] - center[2], jaw[:, 1] - center[1], 1)[0]
    offsets = vertices[triangles].mean(axis=1) - center
    below_m = (offsets[:, 1] - slope * offsets[:, 2]) / np.hypot(1.0, slope)
    return np.asarray(below_m > THROAT_MARGIN_M)


def _ring(landmark_points: Array, ring: tuple[int, ...]) -> Array:
    points = landmark_points[list(ring)]
    return np.asarray(points[np.isfinite(points[:, 0])])
