"""The visible facial skin of one mesh in one picture: rasterized, its closed lips shut, its mask cleaned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, NonNegativeFloat, NonNegativeInt

from rendering.camera import Camera
from rendering.depth_map import cleaned_mask, filled_depth, slits
from rendering.rasterize import Backend, Raster, rasterize

Bools = NDArray[np.bool_]
Float32 = NDArray[np.float32]
Int32 = NDArray[np.int32]


class SkinSettings(BaseModel, frozen=True, extra="forbid", use_attribute_docstrings=True):
    """What counts as visible skin."""

    backend: Backend = "numba"
    """Rasterizer; "numba" is canonical for published data sets."""
    widest_slit_px: NonNegativeFloat = 4.0
    """Enclosed holes that are nowhere wider are closed lips or lids and are filled."""
    mask_radius_px: NonNegativeInt = 2
    """Specks and pinholes of the mask up to this radius are cleaned away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SkinMesh:
    """A mesh that hides as a whole and shows its skin."""

    triangles: Int32
    """Vertex ids, (F, 3), counter-clockwise seen from outside."""
    is_skin: Bools
    """(F,), triangles whose depth is published."""
    is_clear: Bools
    """(F,), triangles that the picture shows; False where hair, glasses or a hand hide them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SkinPicture:
    """What one frame publishes."""

    depth_m: Float32
    """(H, W), camera-space z; 0 = no surface."""
    mask: Bools
    """(H, W), skin that the picture shows; inside depth_m > 0."""


def skin_picture(
    vertices_m: Float32, mesh: SkinMesh, camera: Camera, *, settings: SkinSettings, out: Raster
) -> SkinPicture:
    """Depth and mask of camera-space vertices (V, 3) m; `out` is a raster of one frame to work in."""
    raster = rasterize(vertices_m[None], mesh.triangles, camera, backend=settings.backend, out=out)
    depth_m = np.zeros((camera.height, camera.width), np.float32)
    mask = np.zeros(depth_m.shape, bool)
    view = _bounds(vertices_m[mesh.triangles[mesh.is_skin].ravel()], camera)
    shown = np.append(mesh.is_skin & _faces_camera(vertices_m, mesh.triangles), False)  # id -1: none
    triangle_id = raster.triangle_id[0][view]
    surface = shown[triangle_id]
    gaps = slits(surface, widest_px=settings.widest_slit_px)
    depth_m[view] = filled_depth(
        np.where(surface, raster.depth_m[0][view], np.float32(0)),
        gaps,
        reach_px=int(np.ceil(settings.widest_slit_px)),
    )
    clear = (surface & np.append(mesh.is_clear, False)[triangle_id]) | gaps
    mask[view] = cleaned_mask(clear, within=surface | gaps, radius_px=settings.mask_radius_px)
    return SkinPicture(depth_m=depth_m, mask=mask)


def _faces_camera(vertices_m: Float32, triangles: Int32) -> Bools:
    """Triangles seen from outside, (F,): the inside of the far cheek must not show through a hole."""
    first, second, third = (vertices_m[triangles[:, corner]] for corner in range(3))
    outward = np.cross(second - first, third - first)
    return np.asarray(np.einsum("fc,fc->f", outward, first) < 0)


def _bounds(vertices_m: Float32, camera: Camera) -> tuple[slice, slice]:
    """Rows and columns of the picture that the vertices can cover; at least one pixel of it."""
    points = camera.project(vertices_m)
    low = np.clip(np.floor(points.min(axis=0)), 0, [camera.width - 1, camera.height - 1]).astype(int)
    high = np.clip(np.ceil(points.max(axis=0)), low + 1, [camera.width, camera.height]).astype(int)
    return slice(low[1], high[1]), slice(low[0], high[0])
