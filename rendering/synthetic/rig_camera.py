"""A calibrated camera of a synthetic studio: its pose, and the distortion of its lens."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from rendering.arrays import Float32, Float64
from rendering.camera import Camera

MARGIN_PX = 40
"""The pinhole picture that a distorted one is made from is larger by this on every side."""
SOLVER_STEPS = 40
"""Fixed-point iterations that invert the lens distortion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticCamera:
    """A camera that looks at the origin of a world whose y axis points up."""

    name: str
    azimuth_deg: float
    height_m: float
    distance_m: float
    pinhole: Camera
    """Intrinsics without distortion, in the pixel coordinates of rendering/camera.py."""
    distortion: tuple[float, ...]
    """OpenCV's coefficients k1 k2 p1 p2 [k3 [k4 k5 k6]]."""

    @property
    def world_to_camera(self) -> Float64:
        """Camera axes from world axes, (4, 4), in metres."""
        angle = np.radians(self.azimuth_deg)
        flat = np.sqrt(self.distance_m**2 - self.height_m**2)
        center = np.array([flat * np.sin(angle), self.height_m, flat * np.cos(angle)])
        # Camera axes in the world: z towards the origin, x level, y = z cross x down.
        forward = -center / np.linalg.norm(center)
        right = np.cross(forward, [0.0, 1.0, 0.0])
        right /= np.linalg.norm(right)
        rotation = np.stack([right, np.cross(forward, right), forward])
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = rotation, -rotation @ center
        return matrix

    @property
    def opencv_matrix(self) -> Float64:
        """K (3, 3) with the centre of the first pixel at (0, 0), as OpenCV expects it."""
        matrix = self.pinhole.matrix
        matrix[:2, 2] -= 0.5
        return matrix

    @property
    def wide_pinhole(self) -> Camera:
        """The pinhole camera with MARGIN_PX around its picture."""
        shift = np.array([[1.0, 0, MARGIN_PX], [0, 1, MARGIN_PX], [0, 0, 1]])
        width, height = self.pinhole.width + 2 * MARGIN_PX, self.pinhole.height + 2 * MARGIN_PX
        return self.pinhole.cropped(shift, width, height)

    def lens_map(self) -> Float32:
        """Place of each pixel of the distorted picture in the wide pinhole one, for cv2.remap: (H, W, 2)."""
        rows, columns = np.mgrid[: self.pinhole.height, : self.pinhole.width]
        distorted = np.stack([columns, rows], axis=-1).reshape(-1, 1, 2).astype(np.float64)
        exact = (cv2.TERM_CRITERIA_COUNT, SOLVER_STEPS, 0.0)
        straight = cv2.undistortPointsIter(
            distorted, self.opencv_matrix, np.array(self.distortion), np.eye(3), self.opencv_matrix, exact
        )
        return (straight.reshape(*rows.shape, 2) + MARGIN_PX).astype(np.float32)
