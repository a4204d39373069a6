"""Wavefront OBJ: vertices and triangles, nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rendering.face_model import Float32, Int32


def read_obj_vertices(path: Path) -> Float32:
    """The file's vertices in its own units: (V, 3)."""
    rows = [line.split()[1:4] for line in _lines(path) if line.startswith("v ")]
    if not rows:
        raise ValueError(f"{path.name}: no vertices; expected a Wavefront OBJ file")
    return np.array(rows, np.float32)


def read_obj_triangles(path: Path) -> Int32:
    """The file's polygons as triangle fans, 0-based: (F, 3)."""
    triangles: list[tuple[int, int, int]] = []
    for line in _lines(path):
        if line.startswith("f "):
            ids = [int(corner.split("/")[0]) - 1 for corner in line.split()[1:]]
            triangles += [(ids[0], ids[k], ids[k + 1]) for k in range(1, len(ids) - 1)]
    if not triangles:
        raise ValueError(f"{path.name}: no faces; expected a Wavefront OBJ mesh")
    return np.array(triangles, np.int32)


def _lines(path: Path) -> list[str]:
    return path.read_text("utf-8", errors="replace").splitlines()
