"""Depth maps of the visible facial skin: which pixels have one, and how metres become 16 bits."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rendering.compiled import compiled

LARGEST_CODE = 65535

Codes = NDArray[np.uint16]
Bools = NDArray[np.bool_]
Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthScale:
    """One linear code for a whole clip: depth_m = offset_m + scale_m * code; code 0 = no surface."""

    scale_m: float
    offset_m: float

    @classmethod
    def of_range(cls, near_m: float, far_m: float) -> DepthScale:
        """The finest scale that codes every depth from near_m (code 1) to far_m (code 65535).

        Raises:
            ValueError: the range is empty or behind the camera.
        """
        if not 0 < near_m <= far_m:
            raise ValueError(f"depth range {near_m:g} .. {far_m:g} m, need 0 < near <= far")
        scale_m = max(far_m - near_m, 1e-6) / (LARGEST_CODE - 1)
        return cls(scale_m=scale_m, offset_m=near_m - scale_m)

    def encode(self, depth_m: Float32) -> Codes:
        """Depth (H, W) in metres, 0 = no surface -> codes; at most scale_m / 2 off.

        Raises:
            ValueError: a depth lies outside the range that the scale was made for.
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
        """Codes -> depth in metres, 0 = no surface."""
        depths = np.where(codes == 0, 0.0, self.offset_m + self.scale_m * codes.astype(np.float64))
        return depths.astype(np.float32)


def slits(surface: Bools, *, widest_px: float) -> Bools:
    """Pixels of closed lip and lid lines in a picture of visible skin, (H, W).

    An enclosed hole that is nowhere wider than widest_px is where closed lips or lids meet: skin touches
    skin there, only the mesh has a rim. A wider hole is an open mouth or eye and stays a hole, corners
    included.
    """
    outside = np.ones(np.add(surface.shape, 2), np.uint8)  # one pixel around, so that it is one region
    outside[1:-1, 1:-1] = ~surface
    cv2.floodFill(outside, None, (0, 0), (0,), flags=4)
    found = np.zeros(surface.shape, bool)
    left, top, width, height = cv2.boundingRect(outside)
    if not width:
        return found
    # enclosed holes have their rims in the box around them, one pixel wider: all else is far from them
    holes = outside[top - 1 : top + height + 1, left - 1 : left + width + 1]
    count, labels = cv2.connectedComponents(holes, connectivity=4)
    radius = cv2.distanceTransform(holes, cv2.DIST_L2, cv2.DIST_MASK_5)
    narrow = np.ones(count, bool)
    narrow[0] = False
    # the middle of a line of w pixels is up to (w + 1) / 2 from the nearest pixel outside
    narrow[labels[radius > (widest_px + 1) / 2]] = False
    found[top - 1 : top + height - 1, left - 1 : left + width - 1] = narrow[labels][1:-1, 1:-1]
    return found


@compiled
def filled_depth(depth_m: Float32, gaps: Bools, reach_px: int) -> Float32:
    """Depth with gaps set to the mean of the surface within reach_px, (H, W) m; 0 = no surface."""
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


def cleaned_mask(mask: Bools, *, within: Bools, radius_px: int) -> Bools:
    """A mask without specks and pinholes of up to radius_px, inside `within`, (H, W)."""
    size = 2 * radius_px + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    opened = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, disc)
    closed = cv2.morphologyEx(opened, cv2.MORPH_CLOSE, disc)
    return (closed > 0) & within


@compiled
def surface_range(depth_m: Float32) -> tuple[float, float]:
    """Nearest and farthest depth (H, W) in metres that is not 0; inf and 0 without surface."""
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
    """Codes (H, W), and how many depths lie outside the range."""
    codes = np.zeros(depth_m.shape, np.uint16)
    misfits = 0
    for row in range(depth_m.shape[0]):
        for column in range(depth_m.shape[1]):
            depth = depth_m[row, column]
            if depth != 0:
                code = np.rint((depth - offset_m) / scale_m)
                if 1 <= code <= LARGEST_CODE:
                    codes[row, column] = int(code)
                else:
                    misfits += 1
    return codes, misfits
