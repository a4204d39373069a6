"""Vertex normals of a mesh."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rendering.compiled import compiled

Array = NDArray[Any]


def vertex_normals(
    vertices_m: NDArray[np.float32], triangles: NDArray[np.int32], *, out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Area-weighted unit normals, outwards for counter-clockwise triangles: (N, V, 3) m -> (N, V, 3).

    A vertex without a triangle, or with triangles of no area, gets 0.

    Args:
        vertices_m: (N, V, 3) m.
        triangles: (F, 3).
        out: buffer to write into and return, (N, V, 3).
    """
    vertices = np.ascontiguousarray(vertices_m, np.float32)
    normals = np.empty_like(vertices) if out is None else out
    sums = np.empty((vertices.shape[1], 3))
    for frame in range(len(vertices)):
        _normals(vertices[frame], triangles, sums, normals[frame])
    return normals


@compiled
def _normals(vertices: Array, triangles: Array, sums: Array, normals: Array) -> None:
    sums[:] = 0.0
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay, az = np.float64(vertices[a, 0]), np.float64(vertices[a, 1]), np.float64(vertices[a, 2])
        ux, uy, uz = vertices[b, 0] - ax, vertices[b, 1] - ay, vertices[b, 2] - az
        vx, vy, vz = vertices[c, 0] - ax, vertices[c, 1] - ay, vertices[c, 2] - az
        # The cross product's length is twice the area: summing it weights by area.
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for corner in (a, b, c):
            sums[corner, 0] += nx
            sums[corner, 1] += ny
            sums[corner, 2] += nz
    for v in range(sums.shape[0]):
        length = np.sqrt(sums[v, 0] ** 2 + sums[v, 1] ** 2 + sums[v, 2] ** 2)
        scale = 1.0 / length if length > 0.0 else 0.0
        for k in range(3):
            normals[v, k] = sums[v, k] * scale
