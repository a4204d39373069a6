"""Renders of a face model for the landmark detector: painted where it has no colours, lit plainly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from rendering.camera import Camera
from rendering.face_model import Float32, Int32
from rendering.landmarks.face_mesh_points import LEFT_BROW, LEFT_EYE, LIPS_OUTER, RIGHT_BROW, RIGHT_EYE
from rendering.normals import vertex_normals
from rendering.rasterizers.rasterize import Raster, rasterize

Array = NDArray[Any]

VIEW_PX = 512
VIEW_CAMERA = Camera.centered(1250.0, VIEW_PX, VIEW_PX)
VIEW_DISTANCE_M = 0.65
SKIN = (0.78, 0.60, 0.50)
LIPS = (0.70, 0.38, 0.36)
BROWS = (0.26, 0.18, 0.14)
SCLERA = (0.93, 0.92, 0.90)
IRIS = (0.22, 0.15, 0.10)
MOUTH = (0.16, 0.07, 0.07)
BACKGROUND = (0.45, 0.48, 0.50)
IRIS_RADIUS_M = 0.0058
LIGHT = np.array([0.25, -0.45, -0.86])


@dataclass(frozen=True, slots=True, kw_only=True)
class LandmarkView:
    """One render and what lies behind each of its pixels."""

    image: NDArray[np.uint8]
    """(H, W, 3) RGB."""
    raster: Raster
    cosines: Float32
    """(F,) between each triangle's normal and the direction to the camera."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoleCenters:
    """Where a model's surface may have holes, in its own coordinates: (3,) m each."""

    right_eye: Float32
    left_eye: Float32
    mouth: Float32


def view_camera(distance_m: float) -> Camera:
    """The camera that shows a head at this distance as large as the usual one at the usual distance."""
    return Camera.centered(VIEW_CAMERA.focal_x_px * distance_m / VIEW_DISTANCE_M, VIEW_PX, VIEW_PX)


def head_pose(
    vertices: Array, *, yaw_deg: float, pitch_deg: float, distance_m: float = VIEW_DISTANCE_M
) -> Float32:
    """Camera-space vertices of a head turned about the centre of its bounding box: (V, 3) -> (V, 3) m."""
    yaw, pitch = np.radians(yaw_deg), np.radians(pitch_deg)
    about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    turned = vertices @ (about_x @ about_y).T
    return np.asarray(turned + np.array([0.0, 0.0, distance_m]), np.float32)


def triangle_cosines(vertices: Array, triangles: Int32) -> Float32:
    """Cosine between outward normal and direction to the camera: (V, 3) m, (F, 3) -> (F,)."""
    corners = vertices[triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    toward = -corners.mean(axis=1)
    lengths = np.linalg.norm(normals, axis=1) * np.linalg.norm(toward, axis=1)
    return np.asarray((normals * toward).sum(axis=1) / np.maximum(lengths, 1e-18), np.float32)


def render_view(
    vertices: Float32,
    triangles: Int32,
    albedo: Float32,
    holes: HoleCenters | None,
    *,
    camera: Camera = VIEW_CAMERA,
) -> LandmarkView:
    """Lambert shading on a plain background; holes and inner sides become eyes and mouth.

    Args:
        vertices: camera space, (V, 3) m.
        triangles: (F, 3).
        albedo: (V, 3) RGB 0..1.
        holes: camera-space centres; None = leave the holes.
        camera: VIEW_PX wide and high.
    """
    raster = rasterize(vertices[None], triangles, camera)
    cosines = triangle_cosines(vertices, triangles)
    ids, weights = raster.triangle_id[0], raster.barycentrics[0]
    covered = ids >= 0
    light = 0.35 + 0.65 * np.clip(vertex_normals(vertices[None], triangles)[0] @ LIGHT, 0.0, 1.0)
    shaded = albedo * light[:, None]
    image = np.empty((VIEW_PX, VIEW_PX, 3))
    image[:] = BACKGROUND
    image[covered] = np.einsum("pk,pkc->pc", weights[covered], shaded[triangles[ids[covered]]])
    if holes is not None:
        outside = ~(covered & (np.take(cosines, ids) > 0.0))
        _fill_holes(image, outside & ndimage.binary_fill_holes(covered), holes, camera)
    bytes_ = np.clip(np.sqrt(np.clip(image, 0, 1)) * 255 * 0.98, 0, 255)
    return LandmarkView(image=bytes_.astype(np.uint8), raster=raster, cosines=cosines)


def _fill_holes(image: Array, holes: NDArray[np.bool_], centers: HoleCenters, camera: Camera) -> None:
    """Paint each hole as the nearest of eyes and mouth."""
    points = np.stack([centers.right_eye, centers.left_eye, centers.mouth])
    centers_px = camera.project(points)
    rows, columns = np.nonzero(holes)
    pixels = np.stack([columns, rows], axis=1) + 0.5
    distances = np.linalg.norm(pixels[:, None] - centers_px, axis=2)
    nearest = distances.argmin(axis=1)
    radius_px = IRIS_RADIUS_M * camera.focal_x_px / points[:, 2]
    colors = np.where((distances.min(axis=1) < radius_px[nearest])[:, None], IRIS, SCLERA)
    colors[nearest == 2] = MOUTH
    image[rows, columns] = colors


def painted_albedo(landmarks_px: Array, vertices: Float32) -> Float32:
    """Vertex colours from landmarks seen in one frontal view: lips, brows, eyes, the rest skin.

    Args:
        landmarks_px: (478, 2) px in that view.
        vertices: its camera-space vertices, (V, 3) m.
    """
    pixels = VIEW_CAMERA.project(vertices)
    albedo = np.empty((len(vertices), 3), np.float32)
    albedo[:] = SKIN
    near = vertices[:, 2] < np.median(vertices[:, 2])
    regions = [
        (LIPS_OUTER, LIPS),
        (RIGHT_BROW, BROWS),
        (LEFT_BROW, BROWS),
        (RIGHT_EYE, SCLERA),
        (LEFT_EYE, SCLERA),
    ]
    for ring, color in regions:
        albedo[near & inside_polygon(pixels, landmarks_px[list(ring)])] = color
    for ring in (RIGHT_EYE, LEFT_EYE):
        eye = landmarks_px[list(ring)]
        radius_px = IRIS_RADIUS_M * VIEW_CAMERA.focal_x_px / VIEW_DISTANCE_M
        iris = np.linalg.norm(pixels - eye.mean(axis=0), axis=1) < radius_px
        albedo[near & iris & inside_polygon(pixels, eye)] = IRIS
    return albedo


def inside_polygon(points: Array, ring: Array) -> NDArray[np.bool_]:
    """Even-odd rule: points (P, 2), ring (R, 2) -> (P,)."""
    inside = np.zeros(len(points), bool)
    for (x0, y0), (x1, y1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        crosses = (points[:, 1] < y0) != (points[:, 1] < y1)
        x = x0 + (points[:, 1] - y0) * (x1 - x0) / (y1 - y0 if y1 != y0 else 1.0)
        inside ^= crosses & (points[:, 0] < x)
    return inside
