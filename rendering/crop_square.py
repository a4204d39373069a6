"""The square that a clip is cropped to: where it lies, and how source pixels map to crop pixels.

A clip has one square for all of its frames. Coordinates are continuous pixels (rendering/camera.py). Squares
have whole-pixel corners, so that the transform describes exactly what the resampling does.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from rendering.arrays import Array, Float64, UInt8


@dataclass(frozen=True, slots=True, kw_only=True)
class Square:
    """A square of the source frame, px; it may reach beyond the frame."""

    left: int
    top: int
    side: int

    def leaves(self, width: int, height: int) -> bool:
        """Whether a part of the square lies outside a frame of this size."""
        return min(self.left, self.top) < 0 or self.left + self.side > width or self.top + self.side > height

    def contains(self, box: Array) -> bool:
        """Whether a box [left, top, right, bottom] lies inside the square."""
        right, bottom = self.left + self.side, self.top + self.side
        return bool(self.left <= box[0] and self.top <= box[1] and box[2] <= right and box[3] <= bottom)

    def is_frame(self, width: int, height: int, *, crop_px: int) -> bool:
        """Whether a crop of crop_px x crop_px equals the frame pixel by pixel."""
        return self == Square(left=0, top=0, side=crop_px) and width == height == crop_px

    def transform(self, crop_px: int) -> Float64:
        """The transform T (3, 3) of a crop of crop_px x crop_px: crop pixel = T @ source pixel."""
        scale = crop_px / self.side
        shift_x, shift_y = -self.left * scale, -self.top * scale
        return np.array([[scale, 0.0, shift_x], [0.0, scale, shift_y], [0.0, 0.0, 1.0]]) + 0.0  # no -0


def union_box(boxes: Array, *, percentile: float) -> Float64:
    """Robust union of a clip's boxes, (N, 4) -> (4,): single frames that stand out do not widen it.

    Left and top are the given percentile over the frames, right and bottom are 100 - percentile.
    """
    low = np.percentile(boxes[:, :2], percentile, axis=0)
    high = np.percentile(boxes[:, 2:], 100 - percentile, axis=0)
    return np.concatenate([low, high])


def grown_box(box: Array, scale: float) -> Float64:
    """A box scaled about its middle: (4,) -> (4,)."""
    middle, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2
    return np.concatenate([middle - scale * half, middle + scale * half])


def square_around(box: Array, *, scale: float, shift_up: float) -> Square:
    """A square around a face box.

    Args:
        box: (4,) px.
        scale: side of the square / longer side of the box.
        shift_up: how far the square's middle lies above the box's, as a part of the square's side.
    """
    side = round(scale * float((box[2:] - box[:2]).max()))
    middle_x, middle_y = (box[:2] + box[2:]) / 2
    left, top = round(middle_x - side / 2), round(middle_y - side / 2 - shift_up * side)
    return Square(left=left, top=top, side=side)


def square_within(
    square: Square, box: Array, *, width: int, height: int, least_scale: float
) -> Square | None:
    """The square inside the frame that is nearest to a wanted one and keeps the face box's margin.

    Args:
        square: the wanted square.
        box: the face's box over the clip, px.
        width: width of the frame, px.
        height: height of the frame, px.
        least_scale: the square must contain the box grown by this factor.

    Returns:
        The square, or None where no square inside the frame keeps the margin: the face is at the frame's edge
        or nearly fills the frame.
    """
    side = min(square.side, width, height)
    # Shrink about the middle, then shift into the frame.
    inside = Square(
        left=_nearest_start(square.left + (square.side - side) // 2, side, width),
        top=_nearest_start(square.top + (square.side - side) // 2, side, height),
        side=side,
    )
    return inside if inside.contains(grown_box(box, least_scale)) else None


def _nearest_start(start: int, side: int, length: int) -> int:
    return min(max(start, 0), length - side)


def cut_square(frame: UInt8, square: Square, *, crop_px: int) -> UInt8:
    """Cut and resize a square: (H, W, 3) -> (crop_px, crop_px, 3).

    Parts of the square outside the frame are filled with the frame's mirror image.
    """
    height, width = frame.shape[:2]
    right, bottom = square.left + square.side, square.top + square.side
    inside = frame[max(square.top, 0) : min(bottom, height), max(square.left, 0) : min(right, width)]
    if square.leaves(width, height):
        borders = (max(-square.top, 0), max(bottom - height, 0), max(-square.left, 0), max(right - width, 0))
        inside = np.asarray(cv2.copyMakeBorder(inside, *borders, cv2.BORDER_REFLECT), np.uint8)
    # No resampling where none is needed: the pixels stay exact.
    if square.side == crop_px:
        return np.ascontiguousarray(inside)
    # INTER_AREA averages, so that shrinking turns no fine detail into moire; enlarging needs a smooth kernel.
    method = cv2.INTER_AREA if square.side > crop_px else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(inside, (crop_px, crop_px), interpolation=method), np.uint8)
