"""From calibrated captures to a pinhole camera: pictures without lens distortion, meshes in camera space."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from rendering.arrays import Array, Float32, Float64, UInt8
from rendering.camera import Camera
from rendering.crop_square import Square, cut_square
from rendering.distortion import distort_points


def cut_undistorted(
    image: UInt8,
    camera: Camera,
    distortion: Sequence[float],
    square: Square,
    *,
    crop_px: int,
) -> UInt8:
    """Cut a square of the undistorted picture: (H, W, 3) -> (crop_px, crop_px, 3).

    Args:
        image: picture as the lens took it.
        camera: pinhole camera of the undistorted picture; its K is the lens's.
        distortion: coefficients of the lens (rendering/distortion.py); empty or all 0 = a plain crop.
        square: the square, in px of the undistorted picture.
        crop_px: side of the result, px.
    """
    if not any(distortion):
        return cut_square(image, square, crop_px=crop_px)
    seen = lens_points(square, camera, distortion).astype(np.float32)
    # cv2 puts the origin at the centre of the first pixel, Camera at its corner.
    full = cv2.remap(
        image, seen[..., 0] - 0.5, seen[..., 1] - 0.5, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
    whole = Square(left=0, top=0, side=square.side)
    return cut_square(np.asarray(full, np.uint8), whole, crop_px=crop_px)


def lens_points(square: Square, camera: Camera, distortion: Sequence[float]) -> Float64:
    """Where the lens shows the pixel centres of a square of the pinhole picture: (side, side, 2) px."""
    steps = np.arange(square.side) + 0.5
    x = (square.left + steps - camera.center_x_px) / camera.focal_x_px
    y = (square.top + steps - camera.center_y_px) / camera.focal_y_px
    pinhole = np.stack(np.meshgrid(x, y), axis=-1)
    seen = distort_points(pinhole, distortion)
    seen *= [camera.focal_x_px, camera.focal_y_px]
    seen += [camera.center_x_px, camera.center_y_px]
    return seen


def mesh_in_camera(vertices: Array, mesh_to_camera: Float64, *, unit_m: float) -> Float32:
    """Camera-space vertices: (V, 3) in units of unit_m, mesh to camera (4, 4) in metres -> (V, 3) m."""
    points = vertices.astype(np.float64) * unit_m
    return np.asarray(points @ mesh_to_camera[:3, :3].T + mesh_to_camera[:3, 3], np.float32)
