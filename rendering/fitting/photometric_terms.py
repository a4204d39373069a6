"""Photometric residuals: image brightness at projected skin samples against albedo x shading.

    r = I(project(x_v)) - gain_t albedo_v (Y(n_v) . light)

Y are spherical harmonics of the normal in camera axes (Ramamoorthi and Hanrahan 2001). The Jacobian is the
image gradient times the derivative of the projection. Light, albedo, gain and shading are held during a step
and estimated anew between steps.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rendering.arrays import Float32, Float64
from rendering.compiled import compiled
from rendering.fitting.chain_rule import fill_line
from rendering.fitting.patches import Patches
from rendering.fitting.rotations import right_jacobian, rotation_matrix

BEHIND_PX = 2.001
"""Two pixels right of and below a sample are read; the thousandth keeps rounding from reaching a third."""


@compiled
def sample_frames(
    images: NDArray[np.uint8], points: Float64, rotations: Float64, positions: Float64, view: Float64,
    placing: Float64,
) -> tuple[Float32, Float32]:  # fmt: skip
    """Brightness and its gradient at projected points.

    Args:
        images: grey pictures of the face box, (N, h, w).
        points: samples in head space, (N, K, 3) m.
        rotations: rotation vectors, (N, 3).
        positions: x/z, y/z, log z, (N, 3).
        view: focal length and principal point, crop px.
        placing: left and top of the box in crop px, and crop px per patch px.

    Returns:
        brightness: (N, K) 0..1, NaN outside the patch.
        gradient: (N, K, 2) per crop px.
    """
    frames, count, _ = points.shape
    height, width = images.shape[1:]
    brightness = np.full((frames, count), np.nan, np.float32)
    gradient = np.zeros((frames, count, 2), np.float32)
    unit = np.float32(1 / 255.0)
    focal, center_x, center_y = view
    left, top, reduction = placing
    slope = np.float32(1 / (255.0 * 2 * reduction))
    for frame in range(frames):
        rotation = rotation_matrix(rotations[frame])
        depth = np.exp(positions[frame, 2])
        placed = points[frame] @ rotation.T
        for row in range(count):
            turned = placed[row]
            z = turned[2] + depth
            px = focal * (turned[0] + positions[frame, 0] * depth) / z + center_x
            py = focal * (turned[1] + positions[frame, 1] * depth) / z + center_y
            # from pixel coordinates to array indices: the centre of the first pixel is at 0.5
            x = (px - left) / reduction - 0.5
            y = (py - top) / reduction - 0.5
            if not (1.0 <= x < width - BEHIND_PX and 1.0 <= y < height - BEHIND_PX):
                continue
            column, line = int(x), int(y)
            around = images[frame, line - 1 : line + 3, column - 1 : column + 3]
            value, run, rise = _bilinear(around, np.float32(x - column), np.float32(y - line))
            brightness[frame, row] = unit * value
            gradient[frame, row, 0] = run * slope
            gradient[frame, row, 1] = rise * slope
    return brightness, gradient


@compiled
def _bilinear(
    around: NDArray[np.uint8], right: np.float32, lower: np.float32
) -> tuple[np.float32, np.float32, np.float32]:
    """Bilinear value between the four middle pixels of (4, 4), and its central differences over two pixels.

    The five bilinear values, at the place and a pixel to each side of it, share twelve pixels and four
    weights.
    """
    left, upper = np.float32(1) - right, np.float32(1) - lower
    before = upper * around[1, 0] + lower * around[2, 0]
    first = upper * around[1, 1] + lower * around[2, 1]
    second = upper * around[1, 2] + lower * around[2, 2]
    behind = upper * around[1, 3] + lower * around[2, 3]
    rise = upper * (around[2, 1] * left + around[2, 2] * right)
    rise += lower * (around[3, 1] * left + around[3, 2] * right)
    rise -= upper * (around[0, 1] * left + around[0, 2] * right)
    rise -= lower * (around[1, 1] * left + around[1, 2] * right)
    run = left * (second - before) + right * (behind - first)
    return left * first + right * second, run, rise


@compiled
def brightness_rows(
    rows: Float32, points: Float64, lines: Float32, rotations: Float64, positions: Float64, focal: float,
    residual: Float32, gradient: Float32, weight: Float32, expression: int,
) -> None:  # fmt: skip
    """Fill the weighted rows of J with the residual last.

    Args:
        rows: (n, K, D + 1).
        points: head-space samples, (n, K, 3) m.
        lines: MovingPoints.lines, (K, 3, D + 1).
        rotations: rotation vectors, (n, 3).
        positions: x/z, y/z, log z, (n, 3).
        focal: crop px.
        residual: brightness minus model, (n, K).
        gradient: gradient of the image, (n, K, 2) per crop px.
        weight: square root of each residual's weight, (n, K); 0 = not visible.
        expression: number of expression modes, E.
    """
    frames, count, _ = points.shape
    for frame in range(frames):
        rotation = rotation_matrix(rotations[frame])
        spin = rotation @ right_jacobian(rotations[frame])
        placed = points[frame] @ rotation.T
        position = positions[frame]
        origin = np.exp(position[2]) * np.array([position[0], position[1], 1.0])
        for row in range(count):
            line = rows[frame, row]
            root = weight[frame, row]
            if root <= 0:
                line[:] = 0
                continue
            turned = placed[row]
            x, y, z = turned[0] + origin[0], turned[1] + origin[1], turned[2] + origin[2]
            gx, gy = root * gradient[frame, row, 0] * focal / z, root * gradient[frame, row, 1] * focal / z
            slope = (gx, gy, -(gx * x + gy * y) / z)
            fill_line(line, slope, turned, rotation, spin, origin, lines[row], expression)
            line[-1] = root * residual[frame, row]


def placing(patches: Patches) -> Float64:
    """Left, top and reduction of the box, the argument `placing` of sample_frames."""
    return np.array([patches.box.left, patches.box.top, patches.box.reduction], dtype=np.float64)
