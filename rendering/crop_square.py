"""The one square of a clip: where it lies, and how source pixels map to crop pixels.

Coordinates are continuous pixels (rendering/camera.py). Squares have whole-pixel corners, so that the
transform is exactly what the resampling does.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rendering.camera import Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Square:
    """A square of the source frame, px; it may leave the frame."""

    left: int
    top: int
    side: int

    def leaves(self, width: int, height: int) -> bool:
        """Whether part of it lies outside a frame of this size."""
        return min(self.left, self.top) < 0 or self.left + self.side > width or self.top + self.side > height

    def contains(self, box: Array) -> bool:
        """Whether a box [left, top, right, bottom] lies inside."""
        right, bottom = self.left + self.side, self.top + self.side
        return bool(self.left <= box[0] and self.top <= box[1] and box[2] <= right and box[3] <= bottom)

    def is_frame(self, width: int, height: int, *, crop_px: int) -> bool:
        """Whether a crop of crop_px x crop_px is the frame itself, pixel by pixel."""
        return self == Square(left=0, top=0, side=crop_px) and width == height == crop_px

    def transform(self, crop_px: int) -> NDArray[np.float64]:
        """Crop pixel = T (3, 3) @ source pixel, for a crop of crop_px x crop_px."""
        scale = crop_px / self.side
        shift_x, shift_y = -self.left * scale, -self.top * scale
        return np.array([[scale, 0.0, shift_x], [0.0, scale, shift_y], [0.0, 0.0, 1.0]]) + 0.0  # no -0


def union_box(boxes: Array, *, percentile: float) -> NDArray[np.float64]:
    """Robust union of a clip's boxes (N, 4): frames that stand out on one side are left out.

    Each side is the percentile (or 100 - percentile) of that side over the frames.
    """
    low = np.percentile(boxes[:, :2], percentile, axis=0)
    high = np.percentile(boxes[:, 2:], 100 - percentile, axis=0)
    return np.concatenate([low, high])


def grown_box(box: Array, scale: float) -> NDArray[np.float64]:
    """The box scaled about its middle."""
    middle, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2
    return np.concatenate([middle - scale * half, middle + scale * half])


def square_around(box: Array, *, scale: float, shift_up: float) -> Square:
    """A square `scale` times the box's longer side; its middle lies shift_up of its side above the box's."""
    side = round(scale * float((box[2:] - box[:2]).max()))
    middle_x, middle_y = (box[:2] + box[2:]) / 2
    left, top = round(middle_x - side / 2), round(middle_y - side / 2 - shift_up * side)
    return Square(left=left, top=top, side=side)


def square_within(
    square: Square, box: Array, *, width: int, height: int, least_scale: float
) -> Square | None:
    """The square inside the frame nearest to the wish, where it keeps the face box's margin.

    Args:
        square: the wish.
        box: the face's box over the clip, px.
        width: of the frame, px.
        height: of the frame, px.
        least_scale: the square must contain the box grown by this factor.

    Returns:
        None where no square inside the frame keeps the margin: the face is at the frame's edge, or it
        nearly fills the frame.
    """
    side = min(square.side, width, height)
    inside = Square(
        left=_nearest_start(square.left + (square.side - side) // 2, side, width),
        top=_nearest_start(square.top + (square.side - side) // 2, side, height),
        side=side,
    )
    return inside if inside.contains(grown_box(box, least_scale)) else None


def _nearest_start(start: int, side: int, length: int) -> int:
    return min(max(start, 0), length - side)


def cut_square(frame: NDArray[np.uint8], square: Square, *, crop_px: int) -> NDArray[np.uint8]:
    """The crop: (H, W, 3) -> (crop_px, crop_px, 3); what lies outside the frame is its mirror image."""
    height, width = frame.shape[:2]
    right, bottom = square.left + square.side, square.top + square.side
    inside = frame[max(square.top, 0) : min(bottom, height), max(square.left, 0) : min(right, width)]
    if square.leaves(width, height):
        borders = (max(-square.top, 0), max(bottom - height, 0), max(-square.left, 0), max(right - width, 0))
        inside = np.asarray(cv2.copyMakeBorder(inside, *borders, cv2.BORDER_REFLECT), np.uint8)
    if square.side == crop_px:
        return np.ascontiguousarray(inside)
    # averaging when shrinking, so that no detail turns into moire; cubic when enlarging
    method = cv2.INTER_AREA if square.side > crop_px else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(inside, (crop_px, crop_px), interpolation=method), np.uint8)
