"""A linear face model from registered scans: Procrustes alignment, then the deviations are the modes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rendering.face_model import Float32

Array = NDArray[Any]

PROCRUSTES_STEPS = 10
STILL_SHARE = 0.5
"""Expressions are aligned on the half of the vertices that moves least."""
STILL_STEPS = 4


def aligned_subjects(neutrals: Sequence[Array]) -> tuple[Float32, Float32, list[float]]:
    """Generalised Procrustes (rigid and scale): the mean, the shapes on it, and their scales.

    Args:
        neutrals: one (V, 3) m a subject, the same topology.

    Returns:
        Mean (V, 3) m of mean size, aligned shapes (subjects, V, 3) m, and the scale each was given.
    """
    shapes = np.stack([shape - shape.mean(axis=0) for shape in neutrals]).astype(np.float64)
    sizes = np.linalg.norm(shapes, axis=(1, 2))
    mean = shapes[0] / sizes[0] * sizes.mean()
    aligned = shapes
    for _ in range(PROCRUSTES_STEPS):
        scales = sizes.mean() / sizes
        aligned = np.stack(
            [scale * shape @ _turn(shape, mean) for scale, shape in zip(scales, shapes, strict=True)]
        )
        mean = aligned.mean(axis=0)
    return mean.astype(np.float32), aligned.astype(np.float32), [float(scale) for scale in scales]


def expression_delta(expression: Array, neutral: Array, turn_to: Array, scale: float) -> Float32:
    """An expression scan minus its subject's neutral, in the mean's pose and size: (V, 3) m.

    Args:
        expression: (V, 3) m as scanned.
        neutral: (V, 3) m of the same subject as scanned.
        turn_to: (V, 3) m, the neutral after alignment.
        scale: the scale that alignment gave the subject.
    """
    moving, fixed = np.asarray(expression, np.float64), np.asarray(neutral, np.float64)
    still = np.ones(len(fixed), bool)
    for _ in range(STILL_STEPS):
        centers = moving[still].mean(axis=0), fixed[still].mean(axis=0)
        turn = _turn(moving[still] - centers[0], fixed[still] - centers[1])
        placed = (moving - centers[0]) @ turn + centers[1]
        distance = np.linalg.norm(placed - fixed, axis=1)
        still = distance <= np.quantile(distance, STILL_SHARE)
    to_mean = _turn(fixed - fixed.mean(axis=0), np.asarray(turn_to, np.float64))
    return np.asarray(scale * (placed - fixed) @ to_mean, np.float32)


def identity_modes(aligned: Float32, mean: Float32) -> Float32:
    """Deviations whose Gram matrix is the sample covariance: (S, V, 3) m -> (S, V, 3) m."""
    return np.asarray((aligned - mean) / np.sqrt(max(len(aligned) - 1, 1)), np.float32)


def mean_by_name(deltas: Mapping[str, Sequence[Float32]]) -> Float32:
    """One displacement an expression, averaged over subjects, names in order: (E, V, 3) m."""
    return np.stack([np.mean(deltas[name], axis=0, dtype=np.float32) for name in sorted(deltas)])


def _turn(moving: Array, fixed: Array) -> Array:
    """Rotation R (3, 3) of least squares: moving @ R is next to fixed (both centred)."""
    left, _, right = np.linalg.svd(moving.T @ fixed)
    flip = np.diag([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    return np.asarray(left @ flip @ right)
