"""Rotation vectors (axis times angle) and their derivatives."""

from __future__ import annotations

import numpy as np

from rendering.arrays import Float64
from rendering.compiled import compiled


@compiled
def skew(vector: Float64) -> Float64:
    """The matrix whose product with x is the cross product vector x x."""
    x, y, z = vector
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])


@compiled
def rotation_matrix(vector: Float64) -> Float64:
    """Rodrigues' formula: rotation vector (3,) rad -> (3, 3)."""
    angle = np.sqrt(np.sum(vector * vector))
    k = skew(vector)
    first, second = 1.0, 0.5
    if angle > 1e-6:  # below it the series' first terms are exact in float64
        first, second = np.sin(angle) / angle, (1.0 - np.cos(angle)) / angle**2
    matrix: Float64 = np.eye(3) + first * k + second * (k @ k)
    return matrix


@compiled
def right_jacobian(vector: Float64) -> Float64:
    """The right Jacobian J, with d(R x)/d vector = -R [x] J (Sola et al. 2018, arXiv:1812.01537, eq. 143)."""
    angle = np.sqrt(np.sum(vector * vector))
    k = skew(vector)
    first, second = 0.5, 1.0 / 6.0
    if angle > 1e-4:
        first, second = (1.0 - np.cos(angle)) / angle**2, (angle - np.sin(angle)) / angle**3
    jacobian: Float64 = np.eye(3) - first * k + second * (k @ k)
    return jacobian


def rotation_vector(matrix: Float64) -> Float64:
    """The rotation vector of (3, 3), for angles below pi."""
    twist = np.array([matrix[2, 1] - matrix[1, 2], matrix[0, 2] - matrix[2, 0], matrix[1, 0] - matrix[0, 1]])
    # The antisymmetric part holds axis * sin(angle), the trace 1 + 2 cos(angle).
    sine = np.linalg.norm(twist) / 2
    angle = np.arctan2(sine, (np.trace(matrix) - 1) / 2)
    return np.asarray(twist / 2 if sine < 1e-9 else twist * (angle / (2 * sine)))


@compiled
def rotation_matrices(vectors: Float64) -> Float64:
    """Rodrigues' formula for each row: (N, 3) rad -> (N, 3, 3)."""
    matrices = np.empty((len(vectors), 3, 3))
    for row in range(len(vectors)):
        matrices[row] = rotation_matrix(vectors[row])
    return matrices
