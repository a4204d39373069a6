"""Boxes of faces: [left, top, right, bottom] in px."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Box = NDArray[np.floating[Any]]


def landmark_box(landmarks: NDArray[np.float32]) -> Box:
    """The box around landmarks, (..., L, 3) px -> (..., 4)."""
    points = landmarks[..., :2]
    return np.concatenate([points.min(axis=-2), points.max(axis=-2)], axis=-1)


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes, 0..1."""
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    shared = float(np.prod(np.maximum(sides, 0)))
    return shared / (area(one) + area(other) - shared)


def area(box: Box) -> float:
    """Area in px^2."""
    return float(np.prod(box[2:] - box[:2]))


def window_around(box: Box, *, scale: float) -> Box:
    """A square window of whole px, `scale` times the box's longer side, with the box in its middle."""
    side = round(scale * float((box[2:] - box[:2]).max()))
    left, top = np.rint((box[:2] + box[2:]) / 2 - side / 2)
    return np.array([left, top, left + side, top + side])


def needs_new_window(window: Box, box: Box, *, scale: float, tolerance: float = 0.15) -> bool:
    """Whether a face moved or grew so much that its window no longer fits.

    A window that stays still samples the picture at the same points in each frame, which keeps
    landmarks steadier than one that follows every px.
    """
    side = float(window[2] - window[0])
    face = float((box[2:] - box[:2]).max())
    moved = float(np.abs((window[:2] + window[2:]) / 2 - (box[:2] + box[2:]) / 2).max())
    return moved > tolerance * face or not 1 - tolerance < side / (scale * face) < 1 + tolerance
