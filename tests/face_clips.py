"""Frames of a real face for tests: the astronaut under a slow camera move, and what can go wrong."""

from __future__ import annotations

import cv2
import numpy as np
from skimage.data import astronaut

FRAME_PX = 320


def moving_face(count: int, *, first: int = 0) -> list[np.ndarray]:
    """The face, about 180 px high, while the camera moves: (320, 320, 3) each."""
    photo = astronaut()
    frames = []
    for index in range(first, first + count):
        left, top = 125 + 0.6 * index, 25 + 0.3 * index
        pixels = np.float32([[1.6, 0, -1.6 * left], [0, 1.6, -1.6 * top]])
        frames.append(cv2.warpAffine(photo, pixels, (FRAME_PX, FRAME_PX), borderMode=cv2.BORDER_REFLECT))
    return frames


def without_face(count: int) -> list[np.ndarray]:
    """The same background with nobody in front of it."""
    frame = cv2.GaussianBlur(moving_face(1)[0], (0, 0), 40)
    return [frame] * count


def other_scene(count: int) -> list[np.ndarray]:
    """The same person mirrored and in much less light."""
    return [np.ascontiguousarray(frame[:, ::-1] // 2) for frame in moving_face(count)]


def side_by_side(left: list[np.ndarray], right: list[np.ndarray]) -> list[np.ndarray]:
    """Two clips in one picture."""
    return [np.concatenate(pair, axis=1) for pair in zip(left, right, strict=True)]
