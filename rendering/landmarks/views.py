"""Renders of a face model for the landmark detector, plainly lit; models without colours are painted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from rendering.arrays import Array, Bool, Float32, Int32, UInt8
from rendering.camera import Camera
from rendering.landmarks.face_mesh_points import LEFT_BROW, LEFT_EYE, LIPS_OUTER, RIGHT_BROW, RIGHT_EYE
from rendering.normals import vertex_normals
from rendering.polygon import inside_polygon
from rendering.rasterizers.raster import Raster
from rendering.rasterizers.rasterize import rasterize

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
    """A render, and the surface behind each of its pixels."""

    image: UInt8
    """(H, W, 3) RGB."""
    raster: Raster
    cosines: Float32
    """Cosine between each triangle's normal and the direction to the camera, (F,)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoleCenters:
    """Centres of the holes that a model's surface may have, (3,) m each."""

    right_eye: Float32
    left_eye: Float32
    mouth: Float32


def view_camera(distance_m: float) -> Camera:
    """Return the camera that shows a head at this distance as large as the usual camera at the usual one."""
    return Camera.centered(VIEW_CAMERA.focal_x_px * distance_m / VIEW_DISTANCE_M, VIEW_PX, VIEW_PX)


def head_pose(
    vertices: Array, *, yaw_deg: float, pitch_deg: float, distance_m: float = VIEW_DISTANCE_M
) -> Float32:
    """Camera-space vertices of a head turned about the model's origin: (V, 3) m -> (V, 3) m."""
    yaw, pitch = np.radians(yaw_deg), np.radians(pitch_deg)
    about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    turned = vertices @ (about_x @ about_y).T
    return np.asarray(turned + np.array([0.0, 0.0, distance_m]), np.float32)


def triangle_cosines(vertices: Array, triangles: Int32) -> Float32:
    """Cosine between outward normal and direction to the camera: camera space (V, 3) m, (F, 3) -> (F,)."""
    corners = vertices[triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    # The camera is at the origin.
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
    """Render with Lambert shading on a plain background; holes and inner sides are painted as eyes and mouth.

    Args:
        vertices: camera space, (V, 3) m.
        triangles: vertex ids, (F, 3).
        albedo: colour of each vertex, (V, 3) RGB 0..1.
        holes: centres of the holes in camera space; None = the holes stay background.
        camera: camera of the render, VIEW_PX wide and high.
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
    # A square root is about the gamma of a display: the detector knows ordinary pictures.
    bytes_ = np.clip(np.sqrt(np.clip(image, 0, 1)) * 255 * 0.98, 0, 255)
    return LandmarkView(image=bytes_.astype(np.uint8), raster=raster, cosines=cosines)


def _fill_holes(image: Array, holes: Bool, centers: HoleCenters, camera: Camera) -> None:
    """Paint each pixel of the holes as the nearest of the two eyes and the mouth."""
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
    """Vertex colours from the landmarks of one frontal view: lips, brows and eyes, skin elsewhere.

    Args:
        landmarks_px: landmarks in that view, (478, 2) px.
        vertices: camera-space vertices of that view, (V, 3) m.

    Returns:
        RGB 0..1, (V, 3).
    """
    pixels = VIEW_CAMERA.project(vertices)
    albedo = np.empty((len(vertices), 3), np.float32)
    albedo[:] = SKIN
    # Paint the front of the head only: the polygons are infinite prisms.
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
