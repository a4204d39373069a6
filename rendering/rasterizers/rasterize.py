"""One function in front of every rasterizer backend: vertices, triangles, camera -> Raster.

    raster = rasterize(vertices_m, triangles, camera)
    depth_m = raster.depth_m[0]

All backends draw the same picture: a triangle covers a pixel when the pixel's centre (column + 0.5,
row + 0.5) lies in its projection, whichever side it shows, and the nearest surface wins. The two CPU
backends add exact rules, so that their outputs agree bit for bit on every machine: projected corners are
rounded to a grid of GRID_STEPS_PER_PX, a centre on an edge belongs to the triangle whose left or top edge it
is (the top-left rule of graphics hardware), and at equal depth the lower triangle id wins.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np

from rendering.arrays import Float32, Int32
from rendering.camera import Camera
from rendering.rasterizers.raster import Backend, Raster, empty_raster

_CURES = {
    "nvdiffrast": "install it from https://github.com/NVlabs/nvdiffrast (non-commercial licence, needs CUDA)",
    "pytorch3d": "install it from https://github.com/facebookresearch/pytorch3d",
}


def rasterize(
    vertices_m: Float32,
    triangles: Int32,
    camera: Camera,
    *,
    backend: Backend = "numba",
    out: Raster | None = None,
) -> Raster:
    """Rasterize meshes at every pixel centre; the nearest surface wins.

    Args:
        vertices_m: camera-space vertices, (N, V, 3) m.
        triangles: vertex ids, (F, 3), the same in all frames.
        camera: intrinsics, and the size of the picture.
        backend: "numba" (CPU, the canonical one for published depth), "reference" (torch, what the tests
            compare with), "nvdiffrast" (CUDA) or "pytorch3d"; the last two are optional packages.
        out: buffers of N frames to write into and return (see empty_raster), overwritten completely; None =
            new ones.

    Raises:
        ModuleNotFoundError: the backend's package is not installed; the message says how to get it.
        ValueError: triangle ids lie outside the vertices, or the buffers have another size.
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
    # Written out instead of import_module(): a stage's key holds the source of every module that import
    # statements lead to (tasks/store/reached_modules.py). They stand inside the function, so that numba,
    # torch and the optional packages are loaded only where their backend is used.
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


def _check(vertices: Float32, triangles: Int32, camera: Camera, out: Raster) -> None:
    if triangles.size and not 0 <= triangles.min() <= triangles.max() < vertices.shape[1]:
        raise ValueError(
            f"triangle ids run from {triangles.min()} to {triangles.max()}, "
            f"need 0 to {vertices.shape[1] - 1}, the vertices given"
        )
    expected = (len(vertices), camera.height, camera.width)
    if out.triangle_id.shape != expected:
        raise ValueError(f"raster buffers are {out.triangle_id.shape}, need {expected}: see empty_raster")
