"""What a rasterizer gives, and the rules that every backend keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from rendering.arrays import Float32, Int32
from rendering.camera import Camera

Backend = Literal["numba", "reference", "nvdiffrast", "pytorch3d"]
"""Backends by name; rasterize.py describes them."""

NEAR_M = 1e-3
"""A triangle with a corner nearer than this, behind the camera or not finite is left out."""
GRID_STEPS_PER_PX = 65536.0
"""Projected corners lie on this grid: edge functions of triangles below 1,024 px are exact in float64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Raster:
    """The surface at each pixel centre; -1 or 0 where there is none."""

    triangle_id: Int32
    """(N, H, W), index into the triangles that were rasterized; -1 = no surface."""
    barycentrics: Float32
    """(N, H, W, 3), perspective-correct weights of the triangle's corners; 0 = no surface."""
    depth_m: Float32
    """(N, H, W), camera-space z in metres; 0 = no surface."""


def empty_raster(frames: int, camera: Camera) -> Raster:
    """Uninitialised buffers for rasterize(..., out=).

    Reusing the buffers in a loop halves the time of a frame.
    """
    shape = (frames, camera.height, camera.width)
    return Raster(
        triangle_id=np.empty(shape, np.int32),
        barycentrics=np.empty((*shape, 3), np.float32),
        depth_m=np.empty(shape, np.float32),
    )
