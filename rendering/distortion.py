"""Lens distortion after Brown and Conrady, with OpenCV's coefficients.

Points are normalised image coordinates (x / z, y / z). With r^2 = x^2 + y^2:

    x' = x (1 + k1 r^2 + k2 r^4 + k3 r^6) / (1 + k4 r^2 + k5 r^4 + k6 r^6) + 2 p1 x y + p2 (r^2 + 2 x^2)
    y' = y (the same)                                                  + p1 (r^2 + 2 y^2) + 2 p2 x y
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

COEFFICIENT_COUNTS = (0, 4, 5, 8)
"""k1 k2 p1 p2 [k3 [k4 k5 k6]]."""

MAX_STEPS = 50
TOLERANCE = 1e-10
"""Largest error of undistort_points, normalised units: below 1e-6 px."""

Points = NDArray[np.floating[Any]]


def check_coefficients(coefficients: Sequence[float]) -> None:
    """Raise ValueError unless these are 0, 4, 5 or 8 finite numbers."""
    if len(coefficients) not in COEFFICIENT_COUNTS:
        raise ValueError(
            f"{len(coefficients)} distortion coefficients, need 0, 4, 5 or 8: k1 k2 p1 p2 [k3 [k4 k5 k6]]"
        )
    if not np.isfinite(coefficients).all():
        raise ValueError(f"distortion coefficients {list(coefficients)} are not all finite")


def distort_points(points: Points, coefficients: Sequence[float]) -> NDArray[np.float64]:
    """Where a lens shows what a pinhole shows at these points: (..., 2) -> (..., 2)."""
    check_coefficients(coefficients)
    k1, k2, p1, p2, k3, k4, k5, k6 = np.pad(np.asarray(coefficients, float), (0, 8 - len(coefficients)))
    x, y = np.asarray(points[..., 0], float), np.asarray(points[..., 1], float)
    r2 = x * x + y * y
    radial = (1 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (1 + r2 * (k4 + r2 * (k5 + r2 * k6)))
    return np.stack(
        [
            x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
            y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
        ],
        axis=-1,
    )


def undistort_points(points: Points, coefficients: Sequence[float]) -> NDArray[np.float64]:
    """The inverse of distort_points, by Newton's method: (..., 2) -> (..., 2).

    Raises:
        ValueError: the lens model folds over at a point, so that nothing maps to it.
    """
    target = np.asarray(points, float)
    found = target.copy()
    for _ in range(MAX_STEPS):
        error = distort_points(found, coefficients) - target
        if not error.size or np.abs(error).max() < TOLERANCE:
            return found
        found = found - _solve(_jacobian(found, coefficients), error)
    worst = float(np.abs(distort_points(found, coefficients) - target).max())
    raise ValueError(
        f"distortion {list(coefficients)} cannot be inverted at all points (error {worst:.2g}, "
        f"limit {TOLERANCE:.2g}); check the calibration"
    )


def _jacobian(points: NDArray[np.float64], coefficients: Sequence[float]) -> NDArray[np.float64]:
    """Central differences: (..., 2) -> (..., 2, 2), exact to 1e-9, which Newton's steps do not need."""
    step = 1e-6
    shifts = step * np.eye(2)
    columns = [
        (distort_points(points + shift, coefficients) - distort_points(points - shift, coefficients))
        / (2 * step)
        for shift in shifts
    ]
    return np.stack(columns, axis=-1)


def _solve(matrices: NDArray[np.float64], errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Newton steps; where the model folds over (determinant 0) the plain error is the step."""
    a, b, c, d = matrices[..., 0, 0], matrices[..., 0, 1], matrices[..., 1, 0], matrices[..., 1, 1]
    determinant = a * d - b * c
    safe = np.where(np.abs(determinant) < 1e-9, np.nan, determinant)
    step = np.stack(
        [
            (d * errors[..., 0] - b * errors[..., 1]) / safe,
            (a * errors[..., 1] - c * errors[..., 0]) / safe,
        ],
        axis=-1,
    )
    return np.where(np.isfinite(step), step, errors)
