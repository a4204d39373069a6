"""Boxes of faces and the square windows that the landmark detector searches.

A box is an array [left, top, right, bottom] in px.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Box = NDArray[np.floating[Any]]


def landmark_box(landmarks: NDArray[np.float32]) -> Box:
    """Smallest box around landmarks: (..., L, 3) px -> (..., 4) px."""
    points = landmarks[..., :2]
    return np.concatenate([points.min(axis=-2), points.max(axis=-2)], axis=-1)


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes, 0..1."""
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    shared = float(np.prod(np.maximum(sides, 0)))  # a negative side: the boxes are apart
    return shared / (area(one) + area(other) - shared)


def area(box: Box) -> float:
    """Area in px^2."""
    return float(np.prod(_size(box)))


def center(box: Box) -> Box:
    """Centre of a box, (2,) px."""
    middle: Box = (box[:2] + box[2:]) / 2
    return middle


def _size(box: Box) -> Box:
    """(width, height), px."""
    size: Box = box[2:] - box[:2]
    return size


def window_around(box: Box, *, scale: float) -> Box:
    """A square window of whole px around a box; its side is `scale` times the longer side of the box."""
    side = round(scale * float(_size(box).max()))
    left, top = np.rint(center(box) - side / 2)
    return np.array([left, top, left + side, top + side])


def needs_new_window(window: Box, box: Box, *, scale: float, tolerance: float = 0.15) -> bool:
    """Whether a face has moved or changed its size so much that its window no longer fits.

    A window that stays in place samples the picture at the same points in each frame. This keeps landmarks
    steadier than a window that follows every px.

    Args:
        window: the present window.
        box: the face.
        scale: wanted side of the window, relative to the longer side of the box.
        tolerance: allowed shift, relative to the longer side of the box, and allowed relative error of the
            window's side.
    """
    side = float(_size(window)[0])
    face = float(_size(box).max())
    moved = float(np.abs(center(window) - center(box)).max())
    return moved > tolerance * face or not 1 - tolerance < side / (scale * face) < 1 + tolerance
