"""Where the 478 landmarks lie on a face model.

A detector finds the landmarks in renders of the model from several directions; each hit is a point of the
surface. The robust mean of a landmark's points over the views, moved to the nearest point of the mesh, is its
embedding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from rendering.arrays import Array, Bool, Float32, Int32
from rendering.rasterizers.raster import Raster

SEARCH_PX = 4
"""A landmark beside the surface, as lid rims at their holes, takes the nearest pixel within this distance."""
MIN_COSINE = 0.35
"""Views that see the surface at a smaller cosine than this do not count."""
MIN_VIEWS = 3
"""A landmark found in fewer views is not embedded."""
WEISZFELD_STEPS = 30
CANDIDATE_VERTICES = 24
"""The closest point is searched on the triangles at this many nearest vertices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LandmarkEmbedding:
    """Surface points of the landmarks."""

    triangles: Int32
    """Triangle of each landmark, (478,); -1 where it could not be embedded."""
    barycentrics: Float32
    """(478, 3)."""
    spread_m: Float32
    """Median distance of the views' points from their robust mean, (478,) m; NaN where not embedded."""


def surface_points(
    landmarks_px: Array, raster: Raster, triangles: Int32, mean: Float32, cosines: Array
) -> Float32:
    """Points of the mean mesh under the landmarks of one view, (L, 3) m; NaN where there is no surface.

    Args:
        landmarks_px: (L, 2) px.
        raster: raster of the view; its triangle ids index `triangles`.
        triangles: vertex ids, (F, 3).
        mean: the mean mesh, (V, 3) m.
        cosines: cosine between each triangle's normal and the direction to the camera, (F,); 0 or less for
            triangles that may not carry a landmark.
    """
    ids = raster.triangle_id[0]
    seen = (ids >= 0) & (np.take(cosines, ids) > MIN_COSINE)
    rows, columns = np.nonzero(seen)
    points = np.full((len(landmarks_px), 3), np.nan, np.float32)
    if len(rows) == 0:
        return points
    pixel_centers = np.stack([columns, rows], axis=1) + 0.5
    distances, nearest = cKDTree(pixel_centers).query(landmarks_px)
    hit = distances <= SEARCH_PX
    row, column = rows[nearest[hit]], columns[nearest[hit]]
    corners = mean[triangles[ids[row, column]]]
    points[hit] = np.einsum("lk,lkc->lc", raster.barycentrics[0, row, column], corners)
    return points


def robust_mean(points: Array) -> Float32:
    """Geometric median of (K, 3) points, by Weiszfeld's iteration (1937).

    An outlier pulls no harder than any other point.
    """
    center = np.median(points, axis=0)
    for _ in range(WEISZFELD_STEPS):
        weights = 1.0 / np.maximum(np.linalg.norm(points - center, axis=1), 1e-5)
        center = weights @ points / weights.sum()
    return np.asarray(center, np.float32)


def embed_landmarks(points: Array, mean: Float32, triangles: Int32, surface: Bool) -> LandmarkEmbedding:
    """Robust mean of each landmark's points over the views, moved to the nearest point of the mesh.

    Args:
        points: points on the mean mesh, (views, 478, 3) m; NaN where a view does not count.
        mean: the mean mesh, (V, 3) m.
        triangles: vertex ids, (F, 3).
        surface: triangles that may carry landmarks, (F,).
    """
    count = points.shape[1]
    centers = np.full((count, 3), np.nan, np.float32)
    spread = np.full(count, np.nan, np.float32)
    for landmark in range(count):
        seen = points[np.isfinite(points[:, landmark, 0]), landmark]
        if len(seen) >= MIN_VIEWS:
            centers[landmark] = robust_mean(seen)
            spread[landmark] = np.median(np.linalg.norm(seen - centers[landmark], axis=1))
    found = np.isfinite(centers[:, 0])
    ids = np.full(count, -1, np.int32)
    weights = np.zeros((count, 3), np.float32)
    allowed = np.flatnonzero(surface)
    nearest, weights[found] = closest_on_mesh(centers[found], mean, triangles[allowed])
    ids[found] = allowed[nearest]
    return LandmarkEmbedding(triangles=ids, barycentrics=weights, spread_m=spread)


def closest_on_mesh(points: Array, vertices: Array, triangles: Int32) -> tuple[Int32, Float32]:
    """Triangle and barycentrics of the surface point closest to each point: (P, 3) m -> (P,), (P, 3)."""
    used = np.unique(triangles)
    _, near = cKDTree(vertices[used]).query(points, k=min(CANDIDATE_VERTICES, len(used)))
    near = used[near.reshape(len(points), -1)]
    ids = np.zeros(len(points), np.int32)
    weights = np.zeros((len(points), 3), np.float32)
    for p, point in enumerate(points):
        candidates = np.flatnonzero(np.isin(triangles, near[p]).any(axis=1))
        barycentrics = _closest_barycentrics(point, vertices[triangles[candidates]])
        on_surface = np.einsum("tk,tkc->tc", barycentrics, vertices[triangles[candidates]])
        best = np.linalg.norm(on_surface - point, axis=1).argmin()
        ids[p], weights[p] = candidates[best], barycentrics[best]
    return ids, weights


def _closest_barycentrics(point: Array, corners: Array) -> Array:
    """Barycentrics of each triangle's point closest to a given point: (T, 3, 3) m -> (T, 3)."""
    # Least squares in the plane; where the solution lies outside the triangle, an edge is closest. The tiny
    # diagonal keeps triangles without area solvable.
    edges = corners[:, 1:] - corners[:, :1]
    gram = np.einsum("tic,tjc->tij", edges, edges) + 1e-18 * np.eye(3)[1:, 1:]
    inside = np.linalg.solve(gram, np.einsum("tic,tc->ti", edges, point - corners[:, 0])[..., None])[..., 0]
    best = np.concatenate([1 - inside.sum(axis=1, keepdims=True), inside], axis=1)
    outside = (best < 0).any(axis=1)
    best[outside] = _closest_on_edges(point, corners[outside])
    return np.asarray(best)


def _closest_on_edges(point: Array, corners: Array) -> Array:
    """Barycentrics of the closest point on the three edges of each triangle: (T, 3, 3) m -> (T, 3)."""
    following = np.roll(corners, -1, axis=1)
    edges = following - corners
    lengths = np.maximum((edges**2).sum(axis=2), 1e-18)
    along = np.clip(((point - corners) * edges).sum(axis=2) / lengths, 0.0, 1.0)
    distances = np.linalg.norm(corners + along[..., None] * edges - point, axis=2)
    edge = distances.argmin(axis=1)
    rows = np.arange(len(corners))
    best = np.zeros((len(corners), 3))
    best[rows, edge] = 1 - along[rows, edge]
    best[rows, (edge + 1) % 3] = along[rows, edge]
    return best
