"""One rasterizer function in front of every backend: vertices, triangles, camera -> Raster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rendering.camera import Camera

Backend = Literal["numba", "reference", "nvdiffrast", "pytorch3d"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Raster:
    """What each pixel centre sees; -1 / 0 where there is no surface."""

    triangle_id: NDArray[np.int32]
    """(N, H, W), index into the triangles given; -1 = none."""
    barycentrics: NDArray[np.float32]
    """(N, H, W, 3), perspective-correct weights of the triangle's corners."""
    depth_m: NDArray[np.float32]
    """(N, H, W), camera-space z in metres; 0 = none."""


def rasterize(
    vertices_m: NDArray[np.float32],
    triangles: NDArray[np.int32],
    camera: Camera,
    *,
    backend: Backend = "numba",
) -> Raster:
    """Rasterize camera-space vertices (N, V, 3) m at every pixel centre; nearest surface wins."""
    raise NotImplementedError(backend)
