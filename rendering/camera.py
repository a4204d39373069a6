"""The pinhole camera, and the one sentence on axes.

Camera axes are OpenCV's: +x right, +y down, +z forward (into the scene), in metres. Pixel coordinates
are continuous: (0, 0) is the image's top left corner and the centre of the first pixel is (0.5, 0.5).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """A pinhole camera without distortion; lengths in pixels."""

    focal_x_px: float
    focal_y_px: float
    center_x_px: float
    center_y_px: float
    width: int
    height: int

    @classmethod
    def centered(cls, focal_px: float, width: int, height: int) -> Camera:
        """Square pixels and the principal point in the middle of the image."""
        return cls(
            focal_x_px=focal_px,
            focal_y_px=focal_px,
            center_x_px=width / 2,
            center_y_px=height / 2,
            width=width,
            height=height,
        )

    @property
    def matrix(self) -> NDArray[np.float64]:
        """Intrinsics K, (3, 3)."""
        return np.array(
            [
                [self.focal_x_px, 0.0, self.center_x_px],
                [0.0, self.focal_y_px, self.center_y_px],
                [0.0, 0.0, 1.0],
            ]
        )

    def cropped(self, transform: Array, width: int, height: int) -> Camera:
        """The same camera seen through a crop: crop pixel = transform (3, 3) @ source pixel.

        The transform may scale and shift, nothing else: the principal point moves with the crop and
        is in general not the crop's centre.
        """
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
        """Camera-space points of each pixel centre: depth (..., H, W) m -> (..., H, W, 3) m."""
        height, width = depth_m.shape[-2:]
        x = (np.arange(width) + 0.5 - self.center_x_px) / self.focal_x_px
        y = (np.arange(height) + 0.5 - self.center_y_px) / self.focal_y_px
        return np.stack([depth_m * x, depth_m * y[:, None], depth_m], axis=-1)
