"""From the derivative by a camera-space point to the derivatives by all parameters."""

from __future__ import annotations

import numpy as np

from rendering.compiled import compiled
from rendering.fitting.parameters import Float32, Float64


@compiled
def fill_line(
    line: Float32, slope: tuple[float, float, float], turned: Float64, rotation: Float64, spin: Float64,
    position: Float64, basis: Float32, expression: int,
) -> None:  # fmt: skip
    """Fill a row of the Jacobian: expression, rotation vector, position, identity, log focal.

    Args:
        line: the row, (D + 1,); its last entry, the residual, is left alone.
        slope: d residual / d(camera-space point), for a residual of the projected point.
        turned: R x, the head-space point rotated, (3,) m.
        rotation: R, (3, 3).
        spin: R J with J the right Jacobian: d(R x) / d vector_j = spin_j x (R x).
        position: x/z, y/z, log z of the head's origin.
        basis: how the head-space point moves, (3, E + S).
        expression: E.
    """
    dx, dy, dz = slope
    depth = np.exp(position[2])
    modes = basis.shape[1]
    a = np.float32(dx * rotation[0, 0] + dy * rotation[1, 0] + dz * rotation[2, 0])
    b = np.float32(dx * rotation[0, 1] + dy * rotation[1, 1] + dz * rotation[2, 1])
    c = np.float32(dx * rotation[0, 2] + dy * rotation[1, 2] + dz * rotation[2, 2])
    for mode in range(expression):
        line[mode] = a * basis[0, mode] + b * basis[1, mode] + c * basis[2, mode]
    for mode in range(expression, modes):
        line[mode + 6] = a * basis[0, mode] + b * basis[1, mode] + c * basis[2, mode]
    for axis in range(3):
        line[expression + axis] = (
            dx * (spin[1, axis] * turned[2] - spin[2, axis] * turned[1])
            + dy * (spin[2, axis] * turned[0] - spin[0, axis] * turned[2])
            + dz * (spin[0, axis] * turned[1] - spin[1, axis] * turned[0])
        )
    line[expression + 3] = dx * depth
    line[expression + 4] = dy * depth
    line[expression + 5] = (dx * position[0] + dy * position[1] + dz) * depth
    # pixels grow with the focal length as they do with x and y
    line[modes + 6] = dx * (turned[0] + position[0] * depth) + dy * (turned[1] + position[1] * depth)
