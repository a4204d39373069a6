"""Small square pictures (tiles) of the frames of a clip: arrays in, RGB arrays out."""

from __future__ import annotations

import base64

import cv2
import matplotlib
import numpy as np
from numpy.typing import NDArray

from rendering.arrays import Array
from rendering.camera import Camera
from rendering.normals import vertex_normals
from rendering.rasterizers.rasterize import rasterize

Image = NDArray[np.uint8]
"""A picture, (H, W, 3) RGB."""

TILE_PX = 168
CONTOUR_MM = 10.0
"""Distance of the contour lines in depth tiles, mm."""
DEPTH_COLORS: Image = matplotlib.colormaps["viridis_r"](np.arange(256), bytes=True)[:, :3]
"""Perceptually uniform colours, (256, 3): near is bright, far is dark."""
WEBP_QUALITIES = (74, 62, 50, 38, 26, 14)
TILE_BYTES = 2650
"""Size limit of an encoded tile: the 36 tiles of a clip then take less than 150 kB as text."""

LANDMARK_LINES: dict[str, tuple[tuple[int, int, int], tuple[int, ...]]] = {
    "right eye": (
        (86, 204, 242),
        (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246),
    ),
    "left eye": (
        (86, 204, 242),
        (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466),
    ),
    "outer lips": (
        (255, 139, 148),
        (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185),
    ),
    "inner lips": (
        (255, 214, 102),
        (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191),
    ),
}
"""Closed lines of MediaPipe landmarks, with colours; these features show best how good a fit is."""

LIGHT = np.array([-0.35, -0.55, -0.76])
"""Direction to the light of the mesh tile in camera axes: from above the left shoulder of the viewer."""
CLAY = np.array([150.0, 190.0, 235.0])


def shown_frames(frames: int, columns: int) -> tuple[int, ...]:
    """Choose the middle frames of equal parts of the clip, so that each picture stands above its time."""
    columns = min(columns, frames)
    return tuple(int((index + 0.5) * frames / columns) for index in range(columns))


def square_tile(image: Image, *, side: int = TILE_PX) -> Image:
    """Fit the whole image into a square, with dark bars at the sides."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    tile = np.full((side, side, 3), 24, dtype=np.uint8)
    top, left = (side - size[1]) // 2, (side - size[0]) // 2
    tile[top : top + size[1], left : left + size[0]] = small
    return tile


def source_tile(frame: Image, crop_transform: Array, *, crop_px: int, side: int = TILE_PX) -> Image:
    """Draw the crop square into the source frame; crop pixel = crop_transform (3, 3) @ source pixel."""
    fine = square_tile(frame, side=2 * side)
    height, width = frame.shape[:2]
    scale = 2 * side / max(height, width)
    corners = np.array([[0, 0, 1], [crop_px, 0, 1], [crop_px, crop_px, 1], [0, crop_px, 1]], dtype=np.float64)
    inside = (np.linalg.inv(crop_transform) @ corners.T)[:2].T
    margin = np.array([2 * side - width * scale, 2 * side - height * scale]) / 2
    _draw_closed(fine, inside * scale + margin, (255, 190, 40), thickness=4)
    return square_tile(fine, side=side)


def landmark_tile(crop: Image, landmarks: Array, *, side: int = TILE_PX) -> Image:
    """Draw landmarks (478, 2 or 3) in crop pixels over the dimmed crop; NaN landmarks are left out."""
    fine = square_tile(crop, side=2 * side)
    fine = np.asarray(fine * 0.62, dtype=np.uint8)
    points = landmarks[:, :2] * (2 * side / max(crop.shape[:2]))
    for x, y in points[np.isfinite(points).all(axis=1)]:
        cv2.circle(
            fine, (round(float(x) * 16), round(float(y) * 16)), 14, (255, 255, 255), -1, cv2.LINE_AA, 4
        )
    for color, loop in LANDMARK_LINES.values():
        if np.isfinite(points[list(loop)]).all():
            _draw_closed(fine, points[list(loop)], color, thickness=2)
    return square_tile(fine, side=side)


def mesh_tile(
    crop: Image,
    vertices_m: NDArray[np.float32],
    triangles: NDArray[np.int32],
    camera: Camera,
    *,
    side: int = TILE_PX,
) -> Image:
    """Draw the mesh as shaded clay over the crop; vertices (V, 3) m are in the space of the crop camera.

    Triangles of the facial skin leave the eyes and the mouth open, where the image shows how well lids
    and lips agree.
    """
    scale = 2 * side / camera.width
    fine = camera.cropped(np.diag([scale, scale, 1.0]), 2 * side, 2 * side)
    raster = rasterize(vertices_m[None], triangles, fine)
    covered = raster.triangle_id[0] >= 0
    corners = vertex_normals(vertices_m[None], triangles)[0][triangles[raster.triangle_id[0][covered]]]
    normals = np.einsum("pk,pkc->pc", raster.barycentrics[0][covered], corners)
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-9)
    shading = 0.25 + 0.85 * np.clip(normals @ LIGHT, 0.0, None)
    image = square_tile(crop, side=2 * side).astype(np.float64)
    image[covered] = 0.2 * image[covered] + 0.8 * np.clip(shading[:, None] * CLAY, 0.0, 255.0)
    return square_tile(image.astype(np.uint8), side=side)


def depth_tile(crop: Image, depth_m: Array, *, near_m: float, far_m: float, side: int = TILE_PX) -> Image:
    """Draw depth (H, W) m, 0 = no surface, over the dark crop: colours from near to far, contour lines."""
    size = (side, side)
    surface = (depth_m > 0).astype(np.float32)
    cover = cv2.resize(surface, size, interpolation=cv2.INTER_AREA)
    # Averaged over the surface alone, so that the edge is not pulled towards 0.
    mean_m = cv2.resize(depth_m.astype(np.float32), size, interpolation=cv2.INTER_AREA) / np.maximum(
        cover, 1e-6
    )
    level = np.clip((mean_m - near_m) / max(far_m - near_m, 1e-6), 0.0, 1.0)
    colors = DEPTH_COLORS[np.rint(level * 255).astype(np.int64)].astype(np.float64)
    colors[_contours((mean_m - near_m) * 1000.0, cover > 0.5)] *= 0.78
    grey = cv2.cvtColor(square_tile(crop, side=side), cv2.COLOR_RGB2GRAY)[..., None] * 0.3
    return np.asarray(grey + cover[..., None] * (colors - grey)).astype(np.uint8)


def mask_tile(crop: Image, mask: Image, *, side: int = TILE_PX) -> Image:
    """Show the crop where the mask (H, W) is 255 and dark grey elsewhere, with a line between."""
    tile = square_tile(crop, side=side)
    cover = cv2.resize(mask, (side, side), interpolation=cv2.INTER_AREA)[..., None] / 255.0
    grey = cv2.cvtColor(tile, cv2.COLOR_RGB2GRAY)[..., None] * 0.3
    image = (grey + cover * (tile - grey)).astype(np.uint8)
    outlines, _ = cv2.findContours(
        (cover[..., 0] > 0.5).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE
    )
    cv2.drawContours(image, outlines, -1, (120, 220, 160), 1, cv2.LINE_AA)
    return image


def data_uri(tile: Image) -> str:
    """Encode the tile as a WebP data URI with the best quality that stays near TILE_BYTES."""
    encoded = b""
    for quality in WEBP_QUALITIES:
        encoded = cv2.imencode(".webp", tile[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, quality])[1].tobytes()
        if len(encoded) <= TILE_BYTES:
            break
    return f"data:image/webp;base64,{base64.b64encode(encoded).decode('ascii')}"


def _contours(depth_mm: Array, surface: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Find pixels where the depth crosses a multiple of CONTOUR_MM towards the right or lower neighbour."""
    band = np.floor(depth_mm / CONTOUR_MM)
    line = np.zeros(band.shape, dtype=bool)
    line[:, :-1] |= (band[:, :-1] != band[:, 1:]) & surface[:, :-1] & surface[:, 1:]
    line[:-1] |= (band[:-1] != band[1:]) & surface[:-1] & surface[1:]
    return line


def _draw_closed(image: Image, points: Array, color: tuple[int, int, int], *, thickness: int) -> None:
    fixed = np.rint(points * 16).astype(np.int32).reshape(-1, 1, 2)
    cv2.polylines(image, [fixed], True, color, thickness, cv2.LINE_AA, 4)
