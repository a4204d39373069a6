"""A linear face model from registered scans.

Scans of many subjects in one topology are brought to a common pose and size by generalised Procrustes
analysis (Gower 1975); what then differs from the mean are the identity modes. Expressions are displacements
from the same subject's neutral scan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from rendering.arrays import Array, Float32

PROCRUSTES_STEPS = 10
STILL_SHARE = 0.5
"""Expressions are aligned on this share of the vertices, those that move least."""
STILL_STEPS = 4


def aligned_subjects(neutrals: Sequence[Array]) -> tuple[Float32, Float32, list[float]]:
    """Generalised Procrustes alignment: rotation, shift and scale.

    Args:
        neutrals: neutral scan of each subject, (V, 3) m, all in one topology.

    Returns:
        The mean shape (V, 3) m at the mean size, the aligned shapes (subjects, V, 3) m, and the scale that
        each subject was given.
    """
    shapes = np.stack([shape - shape.mean(axis=0) for shape in neutrals]).astype(np.float64)
    sizes = np.linalg.norm(shapes, axis=(1, 2))
    # The first shape sets the pose of the mean; its form is averaged out.
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
        neutral: (V, 3) m of the same subject, as scanned.
        turn_to: the neutral after alignment, (V, 3) m.
        scale: scale that the alignment gave the subject.
    """
    moving, fixed = np.asarray(expression, np.float64), np.asarray(neutral, np.float64)
    # Alternate: align on the vertices that moved little, then see which those are.
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
    """Deviations from the mean whose Gram matrix is the sample covariance: (S, V, 3) m -> (S, V, 3) m."""
    return np.asarray((aligned - mean) / np.sqrt(max(len(aligned) - 1, 1)), np.float32)


def mean_by_name(deltas: Mapping[str, Sequence[Float32]]) -> Float32:
    """Displacement of each expression averaged over the subjects, sorted by name: (E, V, 3) m."""
    return np.stack([np.mean(deltas[name], axis=0, dtype=np.float32) for name in sorted(deltas)])


def _turn(moving: Array, fixed: Array) -> Array:
    """Rotation R (3, 3) that brings moving @ R closest to fixed in least squares; both are centred.

    The orthogonal Procrustes problem, solved by an SVD and kept from mirroring (Kabsch 1976).
    """
    left, _, right = np.linalg.svd(moving.T @ fixed)
    # Without the sign, a mirrored shape could fit best.
    flip = np.diag([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    return np.asarray(left @ flip @ right)
