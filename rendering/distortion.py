"""Lens distortion after Brown and Conrady (Conrady 1919, Brown 1966), with OpenCV's coefficients.

The rational form is OpenCV's: radial terms k1 to k6 and tangential terms p1 and p2. Points are
normalised image coordinates (x / z, y / z). With r^2 = x^2 + y^2:

    x' = x (1 + k1 r^2 + k2 r^4 + k3 r^6) / (1 + k4 r^2 + k5 r^4 + k6 r^6) + 2 p1 x y + p2 (r^2 + 2 x^2)
    y' = y (same factor)                                               + p1 (r^2 + 2 y^2) + 2 p2 x y
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rendering.arrays import Array, Float64

COEFFICIENT_COUNTS = (0, 4, 5, 8)
"""Accepted numbers of coefficients, in the order k1 k2 p1 p2 [k3 [k4 k5 k6]]; missing ones are 0."""


def check_coefficients(coefficients: Sequence[float]) -> None:
    """Raise ValueError unless these are 0, 4, 5 or 8 finite numbers."""
    if len(coefficients) not in COEFFICIENT_COUNTS:
        raise ValueError(
            f"{len(coefficients)} distortion coefficients, need 0, 4, 5 or 8: k1 k2 p1 p2 [k3 [k4 k5 k6]]"
        )
    if not np.isfinite(coefficients).all():
        raise ValueError(f"distortion coefficients {list(coefficients)} are not all finite")


def distort_points(points: Array, coefficients: Sequence[float]) -> Float64:
    """Where a lens shows what an ideal pinhole shows at the given points: (..., 2) -> (..., 2).

    Raises:
        ValueError: the number of coefficients is not supported, or they are not finite.
    """
    check_coefficients(coefficients)
    # OpenCV's models are nested: fewer coefficients mean that the others are 0.
    k1, k2, p1, p2, k3, k4, k5, k6 = np.pad(np.asarray(coefficients, float), (0, 8 - len(coefficients)))
    x, y = np.asarray(points[..., 0], float), np.asarray(points[..., 1], float)
    r2 = x * x + y * y
    # Polynomials in Horner form.
    radial = (1 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (1 + r2 * (k4 + r2 * (k5 + r2 * k6)))
    return np.stack(
        [
            x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
            y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
        ],
        axis=-1,
    )
