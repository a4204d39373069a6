"""Vertex normals of a mesh."""

from __future__ import annotations

import numpy as np

from rendering.arrays import Array, Float32, Int32
from rendering.compiled import compiled


def vertex_normals(vertices_m: Float32, triangles: Int32, *, out: Float32 | None = None) -> Float32:
    """Area-weighted unit normals of every vertex: (N, V, 3) m -> (N, V, 3).

    They point outwards where triangles are counter-clockwise seen from outside. A vertex without
    triangles, or whose triangles have no area, gets 0.

    Args:
        vertices_m: (N, V, 3) m.
        triangles: vertex ids, (F, 3).
        out: buffer to write into and return, (N, V, 3); None = a new array.
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
        # A cross product is as long as twice the triangle's area: the plain sum weights by area.
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
