"""The skin vertices whose brightness the photometric stage compares with the pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from rendering.arrays import Float32, Float64
from rendering.compiled import compiled
from rendering.face_model import FaceModel
from rendering.fitting.moving_points import MovingPoints, moving_points
from rendering.fitting.slow_shading import smooth_patterns
from rendering.landmarks.face_mesh_points import LEFT_EYE, LIPS_OUTER, RIGHT_EYE

MOVING_PARTS = LEFT_EYE + RIGHT_EYE + LIPS_OUTER
"""Landmarks that samples keep away from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FacetEdges:
    """Two edges of each of T triangles, from its first corner to its second and third."""

    mean: Float32
    """(2, T, 3) m."""
    expression: Float32
    """(2, T, 3, E)."""
    identity: Float32
    """(S, 2 T 3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SkinSamples:
    """K skin vertices, and how their positions and normals move with the coefficients."""

    vertices: NDArray[np.int32]
    """Vertex ids, (K,)."""
    moving: MovingPoints
    edges: FacetEdges
    """Edges of the T triangles around the samples."""
    incidence: csr_matrix
    """(K, T): 1 where a triangle touches a sample."""
    patterns: Float32
    """Smooth patterns over the samples (slow_shading.py), (K, Q)."""


def skin_samples(face_model: FaceModel, *, count: int, clearance_m: float, patterns: int = 25) -> SkinSamples:
    """Choose evenly spread skin vertices away from lids and lips.

    Args:
        face_model: the model; its skin triangles say what is skin.
        count: approximate number of samples.
        clearance_m: least distance to a landmark of the lids or lips, where the image changes for other
            reasons than motion and light.
        patterns: number of smooth patterns of shading.
    """
    skin = np.unique(face_model.triangles[face_model.skin_triangles])
    landmarks = face_model.landmark_points(face_model.mean[None])[0][list(MOVING_PARTS)]
    landmarks = landmarks[np.isfinite(landmarks[:, 0])]
    gaps = np.linalg.norm(face_model.mean[skin][:, None] - landmarks[None], axis=-1)
    candidates = skin[gaps.min(axis=1) > clearance_m]
    chosen = candidates[_spread(face_model.mean[candidates], count)]
    touching = np.isin(face_model.triangles, chosen).any(axis=1)
    triangles = face_model.triangles[touching]
    rows, columns = _incidence(chosen, triangles)
    return SkinSamples(
        vertices=chosen.astype(np.int32),
        moving=moving_points(
            face_model.mean[chosen],
            face_model.expression_basis[:, chosen],
            face_model.identity_basis[:, chosen],
        ),
        edges=_facet_edges(face_model, triangles),
        incidence=csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(chosen), len(triangles))),
        patterns=smooth_patterns(face_model.mean[chosen].astype(np.float64), patterns),
    )


def _incidence(chosen: NDArray[np.intp], triangles: NDArray[np.int32]) -> tuple[NDArray[np.intp], ...]:
    """Pairs (row in chosen, triangle) that touch; chosen must ascend."""
    corners = triangles.ravel()
    row = np.minimum(np.searchsorted(chosen, corners), len(chosen) - 1)
    touching = chosen[row] == corners
    return row[touching], np.repeat(np.arange(len(triangles)), 3)[touching]


def _spread(points: Float32, count: int) -> NDArray[np.intp]:
    """Rows of about `count` evenly spread points: one of each occupied cell of a grid, in ascending order."""
    # Bisection on the step of the grid.
    low, high = 1e-4, float(np.ptp(points, axis=0).max())
    chosen = np.arange(len(points))
    for _ in range(24):
        step = (low + high) / 2
        cells = np.floor((points - points.min(axis=0)) / step).astype(np.int64)
        chosen = np.sort(np.unique(cells, axis=0, return_index=True)[1])
        low, high = (step, high) if len(chosen) > count else (low, step)
    return chosen


def _facet_edges(face_model: FaceModel, triangles: NDArray[np.int32]) -> FacetEdges:
    def edges(points: Float32) -> Float32:
        corners = points[..., triangles, :]
        return np.stack([corners[..., 1, :] - corners[..., 0, :], corners[..., 2, :] - corners[..., 0, :]])

    modes = len(face_model.identity_basis)
    return FacetEdges(
        mean=edges(face_model.mean),
        expression=np.ascontiguousarray(edges(face_model.expression_basis).transpose(0, 2, 3, 1)),
        identity=edges(face_model.identity_basis).swapaxes(0, 1).reshape(modes, -1),
    )


@compiled
def _sum_normals(
    edges: Float32, moves: Float32, first: NDArray[np.int32], touching: NDArray[np.int32]
) -> tuple[Float32, Float32]:
    """Sums of area vectors a x b and of their derivatives a' x b + a x b' around samples.

    Args:
        edges: edges a and b of each triangle, (2, T, 3).
        moves: derivatives of the edges by the expression, (2, T, 3, E).
        first: sample k touches the triangles touching[first[k] : first[k + 1]].
        touching: ids of triangles.

    Returns:
        Sums (K, 3) and sums of derivatives (K, 3, E).
    """
    sums = np.zeros((len(first) - 1, 3), np.float32)
    sum_moves = np.zeros((len(first) - 1, 3, moves.shape[3]), np.float32)
    for sample in range(len(sums)):
        for triangle in touching[first[sample] : first[sample + 1]]:
            a, b = edges[0, triangle], edges[1, triangle]
            a_moves, b_moves = moves[0, triangle], moves[1, triangle]
            for axis in range(3):
                i, j = (axis + 1) % 3, (axis + 2) % 3
                sums[sample, axis] += a[i] * b[j] - a[j] * b[i]
                out = sum_moves[sample, axis]
                for mode in range(len(out)):
                    turned = a_moves[i, mode] * b[j] - a_moves[j, mode] * b[i]
                    out[mode] += turned + a[i] * b_moves[j, mode] - a[j] * b_moves[i, mode]
    return sums, sum_moves


def neutral_normals(samples: SkinSamples, identity: Float64) -> tuple[Float32, Float32]:
    """Area-weighted normals of the neutral face at the samples, and their derivative.

    Returns:
        normals: unit, (K, 3).
        basis: d normal / d expression at zero expression, before renormalising, (K, 3, E).
    """
    edges = samples.edges
    neutral = edges.mean + (identity.astype(np.float32) @ edges.identity).reshape(edges.mean.shape)
    # The area vector of a triangle is bilinear in its edges: the derivative at zero expression is exact.
    sums, moves = _sum_normals(neutral, edges.expression, samples.incidence.indptr, samples.incidence.indices)
    length = np.linalg.norm(sums, axis=1, keepdims=True)
    return sums / length, moves / length[:, :, None]
