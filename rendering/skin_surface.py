"""The visible facial skin of one mesh in one picture: rasterized, its closed lips shut, its mask cleaned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rendering.camera import Camera
from rendering.compiled import compiled
from rendering.depth_map import cleaned_mask, filled_depth, slits
from rendering.rasterize import Raster, rasterize
from rendering.skin_settings import SkinSettings

Bools = NDArray[np.bool_]
Float32 = NDArray[np.float32]
Int32 = NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True)
class SkinMesh:
    """A mesh that hides as a whole and shows its skin."""

    triangles: Int32
    """Vertex ids, (F, 3), counter-clockwise seen from outside."""
    is_skin: Bools
    """(F,), triangles whose depth is published."""
    skin_vertices: Int32
    """Ids of the vertices of these triangles, (S,)."""
    is_clear: Bools
    """(F,), triangles that the picture shows; False where hair, glasses or a hand hide them."""


def skin_mesh(triangles: Int32, skin_triangles: Int32) -> SkinMesh:
    """A mesh with nothing in front: triangles (F, 3), and the ids (S,) of those that are skin."""
    corners = np.ascontiguousarray(triangles, np.int32)
    return SkinMesh(
        triangles=corners,
        is_skin=np.isin(np.arange(len(corners)), skin_triangles),
        skin_vertices=np.unique(corners[skin_triangles]),
        is_clear=np.ones(len(corners), bool),
    )


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
    view = _bounds(vertices_m, mesh, camera)
    shown = _facing(vertices_m, mesh.triangles) & mesh.is_skin
    skin_depth_m, surface, clear = _seen(
        raster.triangle_id[0][view], raster.depth_m[0][view], shown, shown & mesh.is_clear
    )
    gaps = slits(surface, widest_px=settings.widest_slit_px)
    depth_m[view] = filled_depth(skin_depth_m, gaps, int(np.ceil(settings.widest_slit_px)))
    mask[view] = cleaned_mask(clear | gaps, within=surface | gaps, radius_px=settings.mask_radius_px)
    return SkinPicture(depth_m=depth_m, mask=mask)


@compiled
def _facing(vertices_m: Float32, triangles: Int32) -> Bools:
    """Triangles seen from outside, (F,): the inside of the far cheek must not show through a hole."""
    facing = np.empty(len(triangles), np.bool_)
    for index in range(len(triangles)):
        ax, ay, az = vertices_m[triangles[index, 0]]
        bx, by, bz = vertices_m[triangles[index, 1]]
        cx, cy, cz = vertices_m[triangles[index, 2]]
        # a . (b x c) is -6 x the volume towards the camera of a triangle that turns its outside to it
        facing[index] = ax * (by * cz - bz * cy) + ay * (bz * cx - bx * cz) + az * (bx * cy - by * cx) < 0
    return facing


@compiled
def _seen(
    triangle_id: Int32, raster_depth_m: Float32, shown: Bools, unhidden: Bools
) -> tuple[Float32, Bools, Bools]:
    """Depth of the pixels that see a shown triangle, which these are, and which see an unhidden one."""
    depth_m = np.zeros(triangle_id.shape, np.float32)
    surface = np.zeros(triangle_id.shape, np.bool_)
    clear = np.zeros(triangle_id.shape, np.bool_)
    for row in range(triangle_id.shape[0]):
        for column in range(triangle_id.shape[1]):
            index = triangle_id[row, column]
            if index >= 0 and shown[index]:
                depth_m[row, column] = raster_depth_m[row, column]
                surface[row, column] = True
                clear[row, column] = unhidden[index]
    return depth_m, surface, clear


def _bounds(vertices_m: Float32, mesh: SkinMesh, camera: Camera) -> tuple[slice, slice]:
    """Rows and columns of the picture that the skin can cover; at least one pixel of it."""
    view = (camera.focal_x_px, camera.focal_y_px, camera.center_x_px, camera.center_y_px)
    extent = _extent(vertices_m, mesh.skin_vertices, np.array(view, np.float32))
    low = np.clip(np.floor(extent[0]), 0, [camera.width - 1, camera.height - 1]).astype(int)
    high = np.clip(np.ceil(extent[1]), low + 1, [camera.width, camera.height]).astype(int)
    return slice(low[1], high[1]), slice(low[0], high[0])


@compiled
def _extent(vertices_m: Float32, chosen: Int32, view: Float32) -> Float32:
    """Least and largest x and y of the chosen vertices' projections, (2, 2) px; see Camera.project."""
    extent = np.empty((2, 2), np.float32)
    extent[0], extent[1] = np.inf, -np.inf
    for vertex in chosen:
        for axis in range(2):
            place = view[axis] * vertices_m[vertex, axis] / vertices_m[vertex, 2] + view[2 + axis]
            extent[0, axis] = min(extent[0, axis], place)
            extent[1, axis] = max(extent[1, axis], place)
    return extent
