"""The face on the builtin skull: nose, sockets, lids, cheeks, lips and chin, as heights in z over (x, y)."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import PchipInterpolator

from rendering.arrays import Array
from rendering.builtin.contours import (
    EYE_CENTER_Z,
    EYE_RADIUS,
    EYE_X,
    MOUTH_HALF_WIDTH,
    distance_to,
    eye_contour,
    lip_share,
    lower_lip_border,
    mouth_line,
    upper_lip_border,
)

LID_THICKNESS = 1.1
# Nose: height over the face and half width along the ridge, from the throat of the upper lip upwards.
NOSE_Y = (-56, -52, -49, -46.5, -44, -41, -38, -34, -28, -20, -10, -4, 3, 10, 18)
NOSE_HEIGHT = (0, 0.6, 3.0, 10.0, 17.0, 22.0, 23.5, 22.3, 18.8, 14.5, 10.0, 6.6, 3.2, 1.2, 0)
NOSE_WIDTH = (9, 9, 7.5, 8.5, 9.5, 10.5, 10.8, 10.3, 9.3, 8.6, 8.0, 7.6, 7.6, 9, 10)


def bump(
    x: Array, y: Array, *, at: tuple[float, float], size: tuple[float, float], power: float = 2.0
) -> Array:
    """exp(-distance^power) from a centre, in units of `size`: 1 at the centre; power 2 is a Gaussian."""
    squared = ((x - at[0]) / size[0]) ** 2 + ((y - at[1]) / size[1]) ** 2
    return np.asarray(np.exp(-(squared ** (power / 2))))


def add_relief(points: Array) -> Array:
    """Points of the skull raised by the face: (P, 3) mm -> (P, 3) mm."""
    x, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    # The face fades out towards the sides of the head.
    front = np.clip((z - 12.0) / 25.0, 0.0, 1.0)
    raised = z + front * (_bones(x, y) + _nose(x, y) + _mouth(x, y))
    raised = np.where(z > 20, _eyes(x, y, raised), raised)
    return np.stack([points[:, 0], y, raised], axis=1)


def _bones(x: Array, y: Array) -> Array:
    """Brow ridge, sockets, cheekbones, chin."""
    return np.asarray(
        2.6 * bump(x, y, at=(27, 16), size=(15, 6.5))
        - 1.2 * bump(x, y, at=(0, 30), size=(16, 14))
        - 10.0 * bump(x, y, at=(20, 0.0), size=(10, 10))
        - 6.0 * bump(x, y, at=(37, 0.5), size=(11, 9))
        + 2.8 * bump(x, y, at=(46, -24), size=(14, 10))
        - 2.5 * bump(x, y, at=(46, -60), size=(12, 14))
        + 1.4 * bump(x, y, at=(33, -50), size=(9, 10))
        + 4.0 * bump(x, y, at=(0, -104), size=(15, 9))
        - 2.6 * bump(x, y, at=(0, -88), size=(17, 4.5))
    )


def _nose(x: Array, y: Array) -> Array:
    inside = np.clip(y, NOSE_Y[0], NOSE_Y[-1])
    height = PchipInterpolator(NOSE_Y, NOSE_HEIGHT)(inside)
    width = PchipInterpolator(NOSE_Y, NOSE_WIDTH)(inside)
    ridge = height * np.exp(-0.75 * (x / width) ** 2.3)
    wings = 9.5 * bump(x, y, at=(12.8, -41.0), size=(5.2, 5.6), power=3.0)
    flare = 3.0 * bump(x, y, at=(14, -38), size=(6, 8))
    nostrils = -5.0 * bump(x, y, at=(6.6, -45.8), size=(3.4, 2.2), power=3.0)
    # log-sum-exp is a smooth maximum: the wing grows out of the ridge's foot without an edge.
    blended = np.logaddexp(ridge / 2.0, (wings + flare) / 2.0) * 2.0 - 2.0 * np.log(2.0)
    return np.asarray(blended + nostrils)


def _mouth(x: Array, y: Array) -> Array:
    share = lip_share(x)
    line, top, bottom = mouth_line(x), upper_lip_border(x), lower_lip_border(x)
    up = np.clip((y - line) / np.maximum(top - line, 0.3), 0.0, 1.6)
    down = np.clip((line - y) / np.maximum(line - bottom, 0.3), 0.0, 1.6)
    upper = np.where(y >= line, 3.4 * np.sqrt(share) * np.exp(-(((up - 0.45) / 0.42) ** 2)), 0.0)
    lower = np.where(y < line, 4.0 * np.sqrt(share) * np.exp(-(((down - 0.42) / 0.42) ** 2)), 0.0)
    closed = -2.6 * np.exp(-(((y - line) / 1.5) ** 2)) * np.clip(1.15 - (x / 30.0) ** 4, 0, 1)
    corner = -2.6 * bump(x, y, at=(MOUTH_HALF_WIDTH + 1.0, -70), size=(4.5, 4.0))
    mound = 3.0 * bump(x, y, at=(0, -64), size=(24, 15))
    philtrum = -0.9 * bump(x, y, at=(0, -56), size=(2.8, 6)) + 0.5 * bump(x, y, at=(5, -57), size=(2.4, 6))
    along = np.clip((-44 - y) / 24.0, 0.0, 1.0)
    fold_x = 18.0 + 13.5 * along**0.8
    fold = (
        -1.3
        * np.exp(-(((x - fold_x) / 2.6) ** 2))
        * np.where((y < -40) & (y > -74), np.sin(np.pi * along) ** 0.5, 0)
    )
    return np.asarray(upper + lower + closed + corner + mound + philtrum + fold)


def _eyes(x: Array, y: Array, z: Array) -> Array:
    """Height with lids around the eyeball, a crease above the upper lid and a faint one below the lower."""
    # A lid lies on a ball one lid thicker than the eyeball, stretched sideways and extended beyond its rim.
    radius = EYE_RADIUS + LID_THICKNESS
    off = ((x - EYE_X) / 1.12) ** 2 + y**2
    ball = EYE_CENTER_Z + np.sqrt(np.maximum(radius**2 - off, 0.0)) - np.maximum(off - radius**2, 0.0) * 0.12
    softness = 1.6
    wrapped = np.logaddexp(z / softness, np.maximum(ball, 0.0) / softness) * softness
    near = off < 26.0**2
    ring = eye_contour(40)
    distance = distance_to(np.stack([x, y], axis=1), ring)
    crease = -1.1 * np.exp(-(((distance - 5.0) / 1.5) ** 2)) * (y > 1.0) * (x > 17)
    crease -= 0.5 * np.exp(-(((distance - 7.0) / 2.0) ** 2)) * (y < -4.0)
    return np.asarray(np.where(near, wrapped + crease, z))
