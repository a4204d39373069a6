"""Depth maps of the visible facial skin: the pixels that have a depth, and 16-bit codes of it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rendering.arrays import Bool, Float32
from rendering.compiled import compiled

LARGEST_CODE = 65535
"""Code of the farthest depth in 16 bits; code 0 means no surface."""

Codes = NDArray[np.uint16]


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthScale:
    """The linear code of all frames of a clip: depth_m = offset_m + scale_m * code; code 0 = no surface."""

    scale_m: float
    offset_m: float

    @classmethod
    def of_range(cls, near_m: float, far_m: float) -> DepthScale:
        """The finest scale that codes all depths from near_m (code 1) to far_m (code 65535).

        Raises:
            ValueError: the range is empty or behind the camera.
        """
        if not 0 < near_m <= far_m:
            raise ValueError(f"depth range {near_m:g} .. {far_m:g} m, need 0 < near <= far")
        # 65,534 steps between codes 1 and 65535; a flat clip still needs a positive scale.
        scale_m = max(far_m - near_m, 1e-6) / (LARGEST_CODE - 1)
        return cls(scale_m=scale_m, offset_m=near_m - scale_m)

    def encode(self, depth_m: Float32) -> Codes:
        """Codes of a depth map (H, W) in metres, 0 = no surface; the error is at most scale_m / 2.

        Raises:
            ValueError: a depth lies outside the range of the scale.
        """
        codes, misfits = _encode(depth_m, self.scale_m, self.offset_m)
        if misfits:
            nearest, farthest = depth_m[depth_m != 0].min(), depth_m.max()
            raise ValueError(
                f"depth {nearest:g} .. {farthest:g} m outside the clip's range "
                f"{self.offset_m + self.scale_m:g} .. {self.offset_m + LARGEST_CODE * self.scale_m:g} m"
            )
        return np.asarray(codes)

    def decode(self, codes: Codes) -> Float32:
        """Depth in metres of codes (H, W); 0 = no surface."""
        depths = np.where(codes == 0, 0.0, self.offset_m + self.scale_m * codes.astype(np.float64))
        return depths.astype(np.float32)


def slits(surface: Bool, *, widest_px: float) -> Bool:
    """Pixels of closed lips and lids in a picture of visible skin: (H, W) -> (H, W).

    Where lips or lids are closed, skin touches skin and only the mesh has a rim: the picture shows an
    enclosed hole that is nowhere wider than widest_px. A wider hole is an open mouth or eye and stays a
    hole, including its narrow corners.
    """
    outside = np.ones(np.add(surface.shape, 2), np.uint8)  # a rim of one pixel connects all that is outside
    outside[1:-1, 1:-1] = ~surface
    cv2.floodFill(outside, None, (0, 0), (0,), flags=4)
    found = np.zeros(surface.shape, bool)
    left, top, width, height = cv2.boundingRect(outside)
    if not width:
        return found
    # The bounding box of the holes, one pixel wider, contains their rims: the rest needs no work.
    holes = outside[top - 1 : top + height + 1, left - 1 : left + width + 1]
    count, labels = cv2.connectedComponents(holes, connectivity=4)
    radius = cv2.distanceTransform(holes, cv2.DIST_L2, cv2.DIST_MASK_5)
    narrow = np.ones(count, bool)
    narrow[0] = False
    # The middle of a line w pixels wide is up to (w + 1) / 2 away from the nearest pixel beside it.
    narrow[labels[radius > (widest_px + 1) / 2]] = False
    found[top - 1 : top + height - 1, left - 1 : left + width - 1] = narrow[labels][1:-1, 1:-1]
    return found


@compiled
def filled_depth(depth_m: Float32, gaps: Bool, reach_px: int) -> Float32:
    """Fill gaps with the mean depth of the surface within reach_px: (H, W) m, 0 = no surface."""
    height, width = depth_m.shape
    filled = depth_m.copy()
    for row, column in zip(*np.nonzero(gaps)):  # noqa: B905  # numba knows no strict
        total, known = 0.0, 0
        for y in range(max(row - reach_px, 0), min(row + reach_px + 1, height)):
            for x in range(max(column - reach_px, 0), min(column + reach_px + 1, width)):
                if depth_m[y, x] > 0:
                    total += depth_m[y, x]
                    known += 1
        if known:
            filled[row, column] = total / known
    return filled


def cleaned_mask(mask: Bool, *, within: Bool, radius_px: int) -> Bool:
    """A mask (H, W) without specks and pinholes of up to radius_px, cut to `within`.

    Morphological opening removes the specks, closing the pinholes.
    """
    size = 2 * radius_px + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    opened = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, disc)
    closed = cv2.morphologyEx(opened, cv2.MORPH_CLOSE, disc)
    return (closed > 0) & within


@compiled
def surface_range(depth_m: Float32) -> tuple[float, float]:
    """Nearest and farthest depth of a map (H, W) in metres; inf and 0 where it has no surface."""
    nearest, farthest = np.float32(np.inf), np.float32(0)
    for row in range(depth_m.shape[0]):
        for column in range(depth_m.shape[1]):
            depth = depth_m[row, column]
            if depth > 0:
                nearest = min(nearest, depth)
                farthest = max(farthest, depth)
    return float(nearest), float(farthest)


@compiled
def _encode(depth_m: Float32, scale_m: float, offset_m: float) -> tuple[Codes, int]:
    """Codes (H, W), and the number of depths outside the range."""
    codes = np.zeros(depth_m.shape, np.uint16)
    misfits = 0
    for row in range(depth_m.shape[0]):
        for column in range(depth_m.shape[1]):
            depth = depth_m[row, column]
            if depth != 0:
                # Depths outside the range are counted, not clipped: a clipped depth would be silently wrong.
                code = np.rint((depth - offset_m) / scale_m)
                if 1 <= code <= LARGEST_CODE:
                    codes[row, column] = int(code)
                else:
                    misfits += 1
    return codes, misfits
