"""The outlines of eyes and lips on the front of the face, in mm of design space (skull.py)."""

from __future__ import annotations

import numpy as np

from rendering.arrays import Array

EYE_X = 31.5
EYE_RADIUS = 12.0
EYE_CENTER_Z = 68.0
EYE_INNER = (16.8, -1.8)
EYE_OUTER = (46.0, 0.8)
UPPER_LID_RISE = 5.6
LOWER_LID_DROP = 4.6

MOUTH_HALF_WIDTH = 25.0
MOUTH_Y = -69.5
MOUTH_GAP = 0.15
UPPER_LIP = 7.6
LOWER_LIP = 9.6


def eye_contour(count: int) -> Array:
    """The opening of the left eye, counter-clockwise from its inner corner: (2 count, 2) mm."""
    # Cosine spacing: points are densest at the corners, where the contour turns most.
    share = 0.5 - 0.5 * np.cos(np.linspace(0, np.pi, count, endpoint=False))
    # The inner exponents shift the extreme points: the upper lid's outwards, the lower lid's a little
    # inwards.
    lower = _eye_line(share) - np.stack(
        [np.zeros(count), LOWER_LID_DROP * np.sin(np.pi * share**0.95) ** 0.9], 1
    )
    back = 1 - share
    upper = _eye_line(back) + np.stack(
        [np.zeros(count), UPPER_LID_RISE * np.sin(np.pi * back**0.85) ** 0.75], 1
    )
    return np.concatenate([lower, upper])


def _eye_line(share: Array) -> Array:
    return np.asarray(EYE_INNER + share[:, None] * np.subtract(EYE_OUTER, EYE_INNER))


def mouth_line(x: Array) -> Array:
    """Height of the line between the lips at x: (P,) mm -> (P,) mm."""
    return np.asarray(MOUTH_Y + 0.7 * np.exp(-((x / 9.0) ** 2)) - 0.9 * np.exp(-((x / 3.5) ** 2)))


def lip_share(x: Array) -> Array:
    """How far x is inside the mouth, 1 in its middle, 0 at its corners and beyond: (P,) mm -> (P,)."""
    return np.clip(1 - (np.abs(x) / MOUTH_HALF_WIDTH) ** 2, 0.0, 1.0)


def upper_lip_border(x: Array) -> Array:
    """Height of the upper edge of the upper lip with Cupid's bow, at x: (P,) mm -> (P,) mm."""
    bow = -1.5 * np.exp(-((x / 3.2) ** 2)) + 0.5 * np.exp(-(((np.abs(x) - 6.0) / 3.5) ** 2))
    return np.asarray(mouth_line(x) + lip_share(x) ** 0.85 * (UPPER_LIP + bow))


def lower_lip_border(x: Array) -> Array:
    """Height of the lower edge of the lower lip at x: (P,) mm -> (P,) mm."""
    return np.asarray(mouth_line(x) - lip_share(x) ** 0.7 * LOWER_LIP)


def outward_normals(ring: Array) -> Array:
    """Unit normals of a closed counter-clockwise ring: (R, 2) -> (R, 2)."""
    tangents = np.roll(ring, -1, axis=0) - np.roll(ring, 1, axis=0)
    normals = np.stack([tangents[:, 1], -tangents[:, 0]], axis=1)
    return np.asarray(normals / np.linalg.norm(normals, axis=1, keepdims=True))


def distance_to(points: Array, ring: Array) -> Array:
    """Distance of points from the vertices of a dense curve: (P, 2), (R, 2) -> (P,)."""
    return np.asarray(np.linalg.norm(points[:, None] - ring[None], axis=2).min(axis=1))
