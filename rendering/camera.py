"""The pinhole camera, and the definition of camera axes and pixel coordinates.

Camera axes are OpenCV's: +x right, +y down, +z forward (into the scene), in metres. Pixel coordinates
are continuous: (0, 0) is the image's top left corner and the centre of the first pixel is (0.5, 0.5).
OpenCV's own functions put the centre of the first pixel at (0, 0) instead: 0.5 is subtracted before them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from rendering.arrays import Array, Float64


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """A pinhole camera without distortion: column = focal_x_px * x / z + center_x_px, and so for rows."""

    focal_x_px: float
    focal_y_px: float
    center_x_px: float
    center_y_px: float
    width: int
    height: int

    @classmethod
    def centered(cls, focal_px: float, width: int, height: int) -> Camera:
        """A camera with square pixels and the principal point in the middle of the image."""
        return cls(
            focal_x_px=focal_px,
            focal_y_px=focal_px,
            center_x_px=width / 2,
            center_y_px=height / 2,
            width=width,
            height=height,
        )

    @classmethod
    def from_matrix(cls, matrix: ArrayLike, *, width: int, height: int) -> Camera:
        """The camera of an intrinsic matrix K: (3, 3), or its nine entries row by row, in pixels.

        Only focal lengths and principal point are read: K must have no skew and the last row 0 0 1.
        """
        k = np.asarray(matrix, np.float64).reshape(3, 3)
        return cls(
            focal_x_px=float(k[0, 0]),
            focal_y_px=float(k[1, 1]),
            center_x_px=float(k[0, 2]),
            center_y_px=float(k[1, 2]),
            width=width,
            height=height,
        )

    @property
    def matrix(self) -> Float64:
        """Intrinsics K, (3, 3)."""
        return np.array(
            [
                [self.focal_x_px, 0.0, self.center_x_px],
                [0.0, self.focal_y_px, self.center_y_px],
                [0.0, 0.0, 1.0],
            ]
        )

    def cropped(self, transform: Array, width: int, height: int) -> Camera:
        """The camera that took a crop of the picture: crop pixel = transform (3, 3) @ source pixel.

        The transform may scale and shift, nothing else. The principal point moves with the crop and is in
        general not the crop's centre.
        """
        # K of the crop is transform @ K of the source; K has no skew, and neither has the crop.
        return replace(
            self,
            focal_x_px=float(transform[0, 0] * self.focal_x_px),
            focal_y_px=float(transform[1, 1] * self.focal_y_px),
            center_x_px=float(transform[0, 0] * self.center_x_px + transform[0, 2]),
            center_y_px=float(transform[1, 1] * self.center_y_px + transform[1, 2]),
            width=width,
            height=height,
        )

    def project(self, points_m: Array) -> Array:
        """Pixel coordinates of camera-space points: (..., 3) metres -> (..., 2) px."""
        x, y, z = points_m[..., 0], points_m[..., 1], points_m[..., 2]
        return np.stack(
            [
                self.focal_x_px * x / z + self.center_x_px,
                self.focal_y_px * y / z + self.center_y_px,
            ],
            axis=-1,
        )

    def unproject(self, depth_m: Array) -> Array:
        """Camera-space points of all pixel centres: depth (..., H, W) m -> (..., H, W, 3) m."""
        height, width = depth_m.shape[-2:]
        # Pixel centres lie at +0.5.
        x = (np.arange(width) + 0.5 - self.center_x_px) / self.focal_x_px
        y = (np.arange(height) + 0.5 - self.center_y_px) / self.focal_y_px
        return np.stack([depth_m * x, depth_m * y[:, None], depth_m], axis=-1)
