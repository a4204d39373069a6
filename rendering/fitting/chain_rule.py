"""From the derivative by a camera-space point to the derivatives by all parameters."""

from __future__ import annotations

import numpy as np

from rendering.arrays import Float32, Float64
from rendering.compiled import compiled


@compiled
def fill_line(
    line: Float32, slope: tuple[float, float, float], turned: Float64, rotation: Float64, spin: Float64,
    origin: Float64, lines: Float32, expression: int,
) -> None:  # fmt: skip
    """Fill a row of the Jacobian: expression, rotation vector, position, identity, log focal.

    Args:
        line: the row, (D + 1,); its last entry, which the residual goes into, becomes 0.
        slope: d residual / d(camera-space point), for a residual of the projected point.
        turned: R x, the head-space point rotated, (3,) m.
        rotation: R, (3, 3).
        spin: R J with J the right Jacobian: d(R x) / d vector_j = spin_j x (R x).
        origin: origin of the head in camera space, (3,) m.
        lines: MovingPoints.lines of the point: how its modes move it, (3, D + 1).
        expression: number of expression modes, E.
    """
    dx, dy, dz = slope
    a = np.float32(dx * rotation[0, 0] + dy * rotation[1, 0] + dz * rotation[2, 0])
    b = np.float32(dx * rotation[0, 1] + dy * rotation[1, 1] + dz * rotation[2, 1])
    c = np.float32(dx * rotation[0, 2] + dy * rotation[1, 2] + dz * rotation[2, 2])
    # (a, b, c) = R' slope is the derivative by the head-space point. One loop runs over all columns, although
    # the pose's are overwritten below: without a gap the compiler vectorises it.
    for column in range(line.shape[0]):
        line[column] = a * lines[0, column] + b * lines[1, column] + c * lines[2, column]
    for axis in range(3):
        line[expression + axis] = (
            dx * (spin[1, axis] * turned[2] - spin[2, axis] * turned[1])
            + dy * (spin[2, axis] * turned[0] - spin[0, axis] * turned[2])
            + dz * (spin[0, axis] * turned[1] - spin[1, axis] * turned[0])
        )
    # Position is (x/z, y/z, log z): scaling log z moves the whole origin along its ray.
    line[expression + 3] = dx * origin[2]
    line[expression + 4] = dy * origin[2]
    line[expression + 5] = dx * origin[0] + dy * origin[1] + dz * origin[2]
    # A pixel grows with the focal length as it does with x and y: d / d(log focal) = x dx + y dy.
    line[line.shape[0] - 2] = dx * (turned[0] + origin[0]) + dy * (turned[1] + origin[1])
