"""The skin vertices whose brightness the photometric stage compares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from rendering.face_mesh_points import LEFT_EYE, LIPS_OUTER, RIGHT_EYE
from rendering.face_model import FaceModel
from rendering.fitting.moving_points import MovingPoints, moving_points
from rendering.fitting.parameters import Float32, Float64

MOVING_PARTS = LEFT_EYE + RIGHT_EYE + LIPS_OUTER


@dataclass(frozen=True, slots=True, kw_only=True)
class SkinSamples:
    """K skin vertices, and how their positions and normals move with the coefficients."""

    vertices: NDArray[np.int32]
    """Vertex ids, (K,)."""
    moving: MovingPoints
    triangles: NDArray[np.int32]
    """Triangles around the samples, (T, 3)."""
    incidence: csr_matrix
    """(K, T): 1 where a triangle touches a sample."""


def skin_samples(face_model: FaceModel, *, count: int, clearance_m: float) -> SkinSamples:
    """Choose evenly spread skin vertices away from lids and lips.

    Args:
        face_model: the model; its skin triangles say what is skin.
        count: about how many.
        clearance_m: least distance to a landmark of the lids or lips: there the image changes for reasons
            that brightness constancy does not know.
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
        triangles=triangles,
        incidence=csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(chosen), len(triangles))),
    )


def _incidence(chosen: NDArray[np.intp], triangles: NDArray[np.int32]) -> tuple[NDArray[np.intp], ...]:
    """Pairs (row in chosen, triangle) that touch; chosen ascends."""
    corners = triangles.ravel()
    row = np.minimum(np.searchsorted(chosen, corners), len(chosen) - 1)
    touching = chosen[row] == corners
    return row[touching], np.repeat(np.arange(len(triangles)), 3)[touching]


def _spread(points: Float32, count: int) -> NDArray[np.intp]:
    """One point of each occupied cell of a grid whose step gives about `count` points, in index order."""
    low, high = 1e-4, float(np.ptp(points, axis=0).max())
    chosen = np.arange(len(points))
    for _ in range(24):
        step = (low + high) / 2
        cells = np.floor((points - points.min(axis=0)) / step).astype(np.int64)
        chosen = np.sort(np.unique(cells, axis=0, return_index=True)[1])
        low, high = (step, high) if len(chosen) > count else (low, step)
    return chosen


def neutral_normals(
    samples: SkinSamples, face_model: FaceModel, identity: Float64
) -> tuple[Float64, Float32]:
    """Area-weighted normals of the neutral face at the samples, and their derivative.

    Returns:
        normals: unit, (K, 3).
        basis: d normal / d expression at zero expression, before renormalising, (K, 3, E).
    """
    neutral = face_model.mean + np.tensordot(identity, face_model.identity_basis, axes=1)
    corners = neutral[samples.triangles].astype(np.float32)
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    moves = face_model.expression_basis[:, samples.triangles]
    first_moves, second_moves = moves[:, :, 1] - moves[:, :, 0], moves[:, :, 2] - moves[:, :, 0]
    areas = np.cross(first, second)
    area_moves = np.cross(first_moves, second) + np.cross(first, second_moves)
    sums = samples.incidence @ areas
    sum_moves = samples.incidence @ area_moves.transpose(1, 2, 0).reshape(len(areas), -1)
    length = np.linalg.norm(sums, axis=1, keepdims=True)
    basis = sum_moves.reshape(len(sums), 3, -1) / length[:, :, None]
    return sums / length, np.asarray(basis, dtype=np.float32)
