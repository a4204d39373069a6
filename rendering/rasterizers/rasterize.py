"""One rasterizer function in front of every backend: vertices, triangles, camera -> Raster.

All backends see the same picture: a pixel is covered when its centre (column + 0.5, row + 0.5) lies in a
triangle's projection, from either side, and the nearest surface wins. The two CPU backends add exact rules,
so that their output is the same bit for bit wherever they run: projected corners are rounded to
GRID_STEPS_PER_PX, a centre on an edge belongs to the triangle to whose top or left the edge is, and of
surfaces at the same depth the lower triangle id wins.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rendering.camera import Camera

Backend = Literal["numba", "reference", "nvdiffrast", "pytorch3d"]

NEAR_M = 1e-3
"""A triangle with a corner nearer than this (or behind the camera, or not finite) is left out."""
GRID_STEPS_PER_PX = 65536.0
"""Projected corners lie on this grid: edge functions of triangles below 1,024 px are exact in float64."""

_CURES = {
    "nvdiffrast": "install it from https://github.com/NVlabs/nvdiffrast (non-commercial licence, needs CUDA)",
    "pytorch3d": "install it from https://github.com/facebookresearch/pytorch3d",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Raster:
    """What each pixel centre sees; -1 / 0 where there is no surface."""

    triangle_id: NDArray[np.int32]
    """(N, H, W), index into the triangles given; -1 = none."""
    barycentrics: NDArray[np.float32]
    """(N, H, W, 3), perspective-correct weights of the triangle's corners."""
    depth_m: NDArray[np.float32]
    """(N, H, W), camera-space z in metres; 0 = none."""


def empty_raster(frames: int, camera: Camera) -> Raster:
    """Buffers for rasterize(..., out=): loops reuse them, which halves the time of a frame."""
    shape = (frames, camera.height, camera.width)
    return Raster(
        triangle_id=np.empty(shape, np.int32),
        barycentrics=np.empty((*shape, 3), np.float32),
        depth_m=np.empty(shape, np.float32),
    )


def rasterize(
    vertices_m: NDArray[np.float32],
    triangles: NDArray[np.int32],
    camera: Camera,
    *,
    backend: Backend = "numba",
    out: Raster | None = None,
) -> Raster:
    """Rasterize camera-space vertices (N, V, 3) m at every pixel centre; nearest surface wins.

    Args:
        vertices_m: camera-space vertices, (N, V, 3) m.
        triangles: vertex ids, (F, 3).
        camera: the camera, and the size of the picture.
        backend: "numba" (CPU default, canonical), "reference" (torch, the oracle of the tests), "nvdiffrast"
            (CUDA) or "pytorch3d"; the last two are optional packages.
        out: buffers of N frames to write into and return (see empty_raster); they are overwritten whole.

    Raises:
        ModuleNotFoundError: the backend's package is not installed; the message says how to get it.
        ValueError: triangle ids outside the vertices, or buffers of another size.
    """
    implementation = _load(backend)
    vertices = np.ascontiguousarray(vertices_m, np.float32)
    corners = np.ascontiguousarray(triangles, np.int32)
    if out is None:
        out = empty_raster(len(vertices), camera)
    _check(vertices, corners, camera, out)
    implementation.rasterize_into(out, vertices, corners, camera)
    return out


def _load(backend: Backend) -> ModuleType:
    try:
        return _implementation(backend)
    except ModuleNotFoundError as error:
        cure = _CURES.get(backend, "run `make setup`")
        raise ModuleNotFoundError(
            f"rasterizer backend {backend!r} needs the package {error.name!r}, which is not installed: "
            f"{cure}, or use the backend 'numba'",
            name=error.name,
        ) from error


def _implementation(backend: Backend) -> ModuleType:
    # written out, so that a stage's key names the code of every backend (tasks/store/reached_modules.py)
    if backend == "numba":
        from rendering.rasterizers import numba_backend

        return numba_backend
    if backend == "nvdiffrast":
        from rendering.rasterizers import nvdiffrast_backend

        return nvdiffrast_backend
    if backend == "pytorch3d":
        from rendering.rasterizers import pytorch3d_backend

        return pytorch3d_backend
    from rendering.rasterizers import reference_backend

    return reference_backend


def _check(vertices: NDArray[np.float32], triangles: NDArray[np.int32], camera: Camera, out: Raster) -> None:
    if triangles.size and not 0 <= triangles.min() <= triangles.max() < vertices.shape[1]:
        raise ValueError(
            f"triangle ids run from {triangles.min()} to {triangles.max()}, "
            f"need 0 to {vertices.shape[1] - 1}, the vertices given"
        )
    expected = (len(vertices), camera.height, camera.width)
    if out.triangle_id.shape != expected:
        raise ValueError(f"raster buffers are {out.triangle_id.shape}, need {expected}: see empty_raster")
