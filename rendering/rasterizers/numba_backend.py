"""The CPU rasterizer, canonical for published depth: one thread, a z-buffer, exact edge functions.

The edge function of an edge is linear over the picture and positive on the triangle's side (Pineda 1988), so
that a step to the next pixel is one addition. Corners on the grid of GRID_STEPS_PER_PX make these sums exact
in float64. 1/z is linear over the picture too, which gives perspective-correct weights: the edge functions
times the corners' 1/z, normalised.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rendering.arrays import Array, Float32, Int32
from rendering.camera import Camera
from rendering.compiled import compiled
from rendering.rasterizers.raster import GRID_STEPS_PER_PX, NEAR_M, Raster

Corner = tuple[Any, Any, Any]
"""x px, y px and 1/z of a projected vertex."""

LARGEST_BELOW_ZERO = -1e-300
"""A negative number closer to 0 than any value of an edge function but 0 itself."""


def rasterize_into(out: Raster, vertices_m: Float32, triangles: Int32, camera: Camera) -> None:
    """Fill the raster; see rendering.rasterizers.rasterize.rasterize.

    Empty buffers for the barycentrics leave them out, which saves a tenth of the time.
    """
    intrinsics = np.array([camera.focal_x_px, camera.focal_y_px, camera.center_x_px, camera.center_y_px])
    projected = np.empty((vertices_m.shape[1], 3))
    for frame in range(len(vertices_m)):
        _project(vertices_m[frame], intrinsics, projected)
        _fill(projected, triangles, out.triangle_id[frame], out.barycentrics[frame], out.depth_m[frame])


@compiled
def _project(vertices_m: Array, intrinsics: Array, projected: Array) -> None:
    """Fill (V, 3) with x px and y px on the grid, and 1/z; 1/z = 0 marks a vertex that cannot be drawn."""
    for v in range(vertices_m.shape[0]):
        z = np.float64(vertices_m[v, 2])
        x = intrinsics[0] * vertices_m[v, 0] / z + intrinsics[2] if z >= NEAR_M else np.nan
        y = intrinsics[1] * vertices_m[v, 1] / z + intrinsics[3] if z >= NEAR_M else np.nan
        drawable = np.isfinite(x) and np.isfinite(y) and np.isfinite(z)
        projected[v, 0] = np.floor(x * GRID_STEPS_PER_PX + 0.5) / GRID_STEPS_PER_PX
        projected[v, 1] = np.floor(y * GRID_STEPS_PER_PX + 0.5) / GRID_STEPS_PER_PX
        projected[v, 2] = 1.0 / z if drawable else 0.0


@compiled
def _fill(
    projected: Array, triangles: Array, triangle_id: Array, barycentrics: Array, depth_m: Array
) -> None:
    triangle_id[:] = -1
    barycentrics[:] = 0.0
    depth_m[:] = 0.0
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        if projected[a, 2] > 0.0 and projected[b, 2] > 0.0 and projected[c, 2] > 0.0:
            _fill_triangle(
                t, _corner(projected, a), _corner(projected, b), _corner(projected, c),
                triangle_id, barycentrics, depth_m,
            )  # fmt: skip


@compiled
def _corner(projected: Array, vertex: int) -> Corner:
    """A vertex as a tuple: a view of the array would be reference-counted, a seventh of the run time."""
    return projected[vertex, 0], projected[vertex, 1], projected[vertex, 2]


@compiled
def _threshold(step_x: float, step_y: float) -> float:
    """What an edge function must exceed: points on left and top edges, where it is 0, count as inside."""
    return LARGEST_BELOW_ZERO if step_x > 0.0 or (step_x == 0.0 and step_y > 0.0) else 0.0


@compiled
def _fill_triangle(
    t: int, a: Corner, b: Corner, c: Corner, triangle_id: Array, barycentrics: Array, depth_m: Array
) -> None:
    height, width = triangle_id.shape
    left = max(min(a[0], b[0], c[0]), 0.0)
    right = min(max(a[0], b[0], c[0]), np.float64(width))
    top = max(min(a[1], b[1], c[1]), 0.0)
    bottom = min(max(a[1], b[1], c[1]), np.float64(height))
    first_column, last_column = int(np.ceil(left - 0.5)), min(int(np.floor(right - 0.5)), width - 1)
    first_row, last_row = int(np.ceil(top - 0.5)), min(int(np.floor(bottom - 0.5)), height - 1)
    if first_column > last_column or first_row > last_row:
        return
    area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    if area == 0.0:
        return
    sign = 1.0 if area > 0.0 else -1.0
    area *= sign
    # Edge functions E_k: positive inside for either winding, and E_0 + E_1 + E_2 = area.
    dx0, dy0 = sign * (b[1] - c[1]), sign * (c[0] - b[0])
    dx1, dy1 = sign * (c[1] - a[1]), sign * (a[0] - c[0])
    dx2, dy2 = sign * (a[1] - b[1]), sign * (b[0] - a[0])
    limit0, limit1, limit2 = _threshold(dx0, dy0), _threshold(dx1, dy1), _threshold(dx2, dy2)
    x = first_column + 0.5
    for row in range(first_row, last_row + 1):
        y = row + 0.5
        e0 = dx0 * (x - b[0]) + dy0 * (y - b[1])
        e1 = dx1 * (x - c[0]) + dy1 * (y - c[1])
        e2 = dx2 * (x - a[0]) + dy2 * (y - a[1])
        entered = False
        for column in range(first_column, last_column + 1):
            if e0 > limit0 and e1 > limit1 and e2 > limit2:
                entered = True
                # with 1/z linear over the picture, 1/z = (E_0/z_a + E_1/z_b + E_2/z_c) / area
                w0, w1, w2 = e0 * a[2], e1 * b[2], e2 * c[2]
                scale = 1.0 / (w0 + w1 + w2)
                depth = np.float32(area * scale)
                if triangle_id[row, column] < 0 or depth < depth_m[row, column]:
                    triangle_id[row, column] = t
                    depth_m[row, column] = depth
                    _weigh(barycentrics, row, column, (w0 * scale, w1 * scale, w2 * scale))
            elif entered:  # a triangle is convex: this row has left it for good
                break
            e0 += dx0
            e1 += dx1
            e2 += dx2


@compiled
def _weigh(barycentrics: Array, row: int, column: int, weights: Corner) -> None:
    if barycentrics.size:
        barycentrics[row, column, 0] = weights[0]
        barycentrics[row, column, 1] = weights[1]
        barycentrics[row, column, 2] = weights[2]
