"""The visible facial skin of a mesh in a picture: depth and mask, without the slits of closed lips and lids.

The whole mesh hides what lies behind it, but only its skin gets a depth, as in the paper's training and
evaluation data (sections 5.1, 5.2 and 7.3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rendering.arrays import Array, Bool, Float32, Int32
from rendering.camera import Camera
from rendering.compiled import compiled
from rendering.rasterizers.raster import Raster
from rendering.rasterizers.rasterize import rasterize
from rendering.skin.depth_map import cleaned_mask, filled_depth, slits
from rendering.skin.settings import SkinSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class SkinMesh:
    """A mesh whose skin is shown; the rest of it only hides what lies behind."""

    triangles: Int32
    """Vertex ids, (F, 3), counter-clockwise seen from outside."""
    is_skin: Bool
    """(F,), triangles of skin, whose depth is published."""
    skin_vertices: Int32
    """Ids of the vertices of the skin's triangles, (S,)."""
    is_clear: Bool
    """(F,), False for triangles that hair, glasses or a hand hide in the video."""


def skin_mesh(triangles: Int32, skin_triangles: Int32) -> SkinMesh:
    """A mesh that nothing hides: triangles (F, 3), and the ids (S,) of those that are skin."""
    corners = np.ascontiguousarray(triangles, np.int32)
    return SkinMesh(
        triangles=corners,
        is_skin=np.isin(np.arange(len(corners)), skin_triangles),
        skin_vertices=np.unique(corners[skin_triangles]),
        is_clear=np.ones(len(corners), bool),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SkinPicture:
    """Depth and mask of one frame."""

    depth_m: Float32
    """(H, W), camera-space z; 0 = no surface."""
    mask: Bool
    """(H, W), skin that the video shows; True only where depth_m > 0."""
    view: tuple[slice, slice]
    """Rows and columns that contain all of the skin; outside of them depth and mask are 0."""


def skin_picture(
    vertices_m: Float32, mesh: SkinMesh, camera: Camera, *, settings: SkinSettings, out: Raster
) -> SkinPicture:
    """Depth and mask of the skin of one frame.

    Args:
        vertices_m: camera space, (V, 3) m.
        mesh: the mesh, and which of it is skin.
        camera: intrinsics, and the size of the picture.
        settings: which slits to fill and how to clean the mask.
        out: raster of one frame to work in; it is overwritten.
    """
    view, drawn = _drawn_part(vertices_m, mesh, camera)
    # Triangle ids of the raster count the drawn triangles, and so do the arrays below.
    triangles = mesh.triangles[drawn]
    raster = rasterize(vertices_m[None], triangles, camera, backend=settings.backend, out=out)
    shown = _facing(vertices_m, triangles) & mesh.is_skin[drawn]
    skin_depth_m, surface, clear = _shown_pixels(
        raster.triangle_id[0][view], raster.depth_m[0][view], shown, shown & mesh.is_clear[drawn]
    )
    # Slits are filled in depth and belong to the mask.
    gaps = slits(surface, widest_px=settings.widest_slit_px)
    depth_m = np.zeros((camera.height, camera.width), np.float32)
    depth_m[view] = filled_depth(skin_depth_m, gaps, int(np.ceil(settings.widest_slit_px)))
    mask = np.zeros(depth_m.shape, bool)
    mask[view] = cleaned_mask(clear | gaps, within=surface | gaps, radius_px=settings.mask_radius_px)
    return SkinPicture(depth_m=depth_m, mask=mask, view=view)


@compiled
def _facing(vertices_m: Float32, triangles: Int32) -> Bool:
    """Triangles that turn their outside to the camera, (F,).

    Without this test the inside of the far cheek would show through the hole of an open mouth.
    """
    facing = np.empty(len(triangles), np.bool_)
    for index in range(len(triangles)):
        ax, ay, az = vertices_m[triangles[index, 0]]
        bx, by, bz = vertices_m[triangles[index, 1]]
        cx, cy, cz = vertices_m[triangles[index, 2]]
        # a . (b x c) is six times the signed volume of the tetrahedron from the camera to the triangle; it is
        # negative where the corners run counter-clockwise as the camera sees them.
        facing[index] = ax * (by * cz - bz * cy) + ay * (bz * cx - bx * cz) + az * (bx * cy - by * cx) < 0
    return facing


@compiled
def _shown_pixels(
    triangle_id: Int32, raster_depth_m: Float32, shown: Bool, unhidden: Bool
) -> tuple[Float32, Bool, Bool]:
    """Depth of the pixels that see a shown triangle, these pixels, and those that see an unhidden one.

    Args:
        triangle_id: (H, W), -1 = none.
        raster_depth_m: (H, W) m.
        shown: (F,).
        unhidden: (F,), part of `shown`.
    """
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


def _drawn_part(
    vertices_m: Float32, mesh: SkinMesh, camera: Camera
) -> tuple[tuple[slice, slice], NDArray[np.intp]]:
    """Rows and columns that the skin can cover, at least one pixel, and the triangles that can be seen there.

    The head behind and beside the face is a large part of a mesh: leaving it out makes rasterizing cheaper.
    """
    intrinsics = (camera.focal_x_px, camera.focal_y_px, camera.center_x_px, camera.center_y_px)
    places = _places(vertices_m, np.array(intrinsics, np.float32))
    least, largest = _extent(places, mesh.skin_vertices)
    size = np.array([camera.width, camera.height])
    low = np.clip(np.floor(least[:2]), 0, size - 1).astype(int)
    high = np.clip(np.ceil(largest[:2]), low + 1, size).astype(int)
    # Triangles behind all of the skin hide none of it; the margin exceeds the rasterizer's float32 rounding.
    beyond_m = largest[2] * (1 + 1e-5)
    drawn = _may_cover(places, mesh.triangles, low, np.array([*high, beyond_m]))
    return (slice(low[1], high[1]), slice(low[0], high[0])), np.flatnonzero(drawn)


@compiled
def _places(vertices_m: Float32, intrinsics: Float32) -> Float32:
    """Projected vertices: x px, y px and z m, (V, 3) m -> (V, 3); the compiled Camera.project."""
    places = np.empty_like(vertices_m)
    for vertex in range(len(vertices_m)):
        z = vertices_m[vertex, 2]
        places[vertex, 0] = intrinsics[0] * vertices_m[vertex, 0] / z + intrinsics[2]
        places[vertex, 1] = intrinsics[1] * vertices_m[vertex, 1] / z + intrinsics[3]
        places[vertex, 2] = z
    return places


@compiled
def _extent(places: Float32, chosen: Int32) -> Float32:
    """Least and largest x, y and z of the chosen vertices, (2, 3); ids (S,)."""
    extent = np.empty((2, 3), np.float32)
    extent[0], extent[1] = np.inf, -np.inf
    for vertex in chosen:
        for axis in range(3):
            extent[0, axis] = min(extent[0, axis], places[vertex, axis])
            extent[1, axis] = max(extent[1, axis], places[vertex, axis])
    return extent


@compiled
def _may_cover(places: Float32, triangles: Int32, low: Array, high: Array) -> Bool:
    """Triangles that do not lie wholly beyond one side of the box low (x, y) .. high (x, y, z): (F,).

    Every vertex gets one bit for each side that it is beyond, as in the clipping of Cohen and Sutherland; a
    triangle whose corners share a bit lies wholly beyond that side.
    """
    sides = np.empty(len(places), np.uint8)
    for vertex in range(len(places)):
        x, y, z = places[vertex]
        outside = (
            (x < low[0]) | (x > high[0]) << 1 | (y < low[1]) << 2 | (y > high[1]) << 3 | (z > high[2]) << 4
        )
        sides[vertex] = outside if z > 0 else 0  # behind the camera a projection means nothing
    found = np.empty(len(triangles), np.bool_)
    for index in range(len(triangles)):
        a, b, c = triangles[index]
        found[index] = sides[a] & sides[b] & sides[c] == 0
    return found
