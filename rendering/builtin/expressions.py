"""25 named expressions of the builtin head as displacements of its vertices, in mm of design space.

Left and right move separately. A displacement is a product of smooth regions and a direction, so that it can
be read as anatomy: which part of the face moves where.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rendering.arrays import Array
from rendering.builtin.contours import (
    EYE_CENTER_Z,
    EYE_RADIUS,
    EYE_X,
    LOWER_LID_DROP,
    MOUTH_HALF_WIDTH,
    eye_contour,
    lip_share,
    mouth_line,
)
from rendering.builtin.parts import BodyPart
from rendering.builtin.relief import LID_THICKNESS, bump

Move = Callable[[Array, Array], Array]
"""A function of sites (V, 3) mm and parts (V,) that gives displacements, (V, 3) mm."""


def _smooth(value: Array) -> Array:
    clipped = np.clip(value, 0.0, 1.0)
    return np.asarray(clipped * clipped * (3 - 2 * clipped))


def _vector(weight: Array, move: tuple[float, float, float]) -> Array:
    return np.asarray(weight[:, None] * np.array(move))


def _on_side(x: Array, side: int) -> Array:
    """1 on one side of the face (1 = left, -1 = right), 0 on the other, soft over the middle."""
    return _smooth(0.5 + side * x / 16.0)


def below_mouth(sites: Array, parts: Array) -> Array:
    """How far a vertex belongs to the lower jaw: 1 at lower lip and chin, 1/2 at the mouth's corners."""
    x, y, z = np.abs(sites[:, 0]), sites[:, 1], sites[:, 2]
    line = mouth_line(np.minimum(x, MOUTH_HALF_WIDTH))
    reach = 16.0 + 0.9 * np.maximum(x - 15.0, 0.0)
    parted = np.maximum(np.sqrt(lip_share(x)), _smooth(np.abs(y - line) / reach))
    weight = 0.5 + 0.5 * np.sign(line - y) * parted
    weight = weight * _smooth((z - 2.0) / 45.0)
    # The throat follows the chin a little, the neck does not.
    weight = weight * (1.0 - _smooth((-y - 112.0) / 26.0) * _smooth((92.0 - z) / 30.0))
    weight = np.where(np.isin(parts, (BodyPart.EAR, BodyPart.SHOULDERS)), 0.0, weight)
    weight = np.where(parts == BodyPart.LOWER_TEETH, 1.0, weight)
    return np.asarray(np.where(parts == BodyPart.UPPER_TEETH, 0.0, weight))


def _jaw_open(sites: Array, parts: Array) -> Array:
    weight = below_mouth(sites, parts)
    # Linearised rotation about the jaw joint: down in front of it, and less far back below it.
    turn = 0.34
    down = -turn * np.maximum(sites[:, 2], 0.0)
    back = 0.45 * turn * (sites[:, 1] + 8.0)
    return np.asarray(weight[:, None] * np.stack([np.zeros_like(down), down, back], axis=1))


def _jaw_left(sites: Array, parts: Array) -> Array:
    return _vector(below_mouth(sites, parts), (9.0, 0.0, 0.0))


def _jaw_forward(sites: Array, parts: Array) -> Array:
    return _vector(below_mouth(sites, parts), (0.0, 0.0, 7.0))


def _soft(parts: Array) -> Array:
    """1 on skin, lids and mouth lining, which can move; 0 on eyeballs, teeth, ears and shoulders."""
    return np.isin(parts, (BodyPart.SKIN, BodyPart.LID_RIM, BodyPart.MOUTH_LINING)).astype(float)


def _region(sites: Array, parts: Array, at: tuple[float, float], size: tuple[float, float]) -> Array:
    """Weight of a region around a place, the same on both sides of the face: (V,)."""
    front = _smooth((sites[:, 2] - 10.0) / 30.0)
    return _soft(parts) * front * bump(np.abs(sites[:, 0]), sites[:, 1], at=at, size=size)


def _pucker(sites: Array, parts: Array) -> Array:
    weight = _region(sites, parts, (0, -69), (30, 17))
    x, y = sites[:, 0], sites[:, 1]
    line = mouth_line(np.minimum(np.abs(x), MOUTH_HALF_WIDTH))
    # Lips that pucker get thicker.
    thicker = 0.16 * (y - line) * weight
    return np.stack([-0.42 * x * weight, thicker, 8.0 * weight], axis=1)


def _funnel(sites: Array, parts: Array) -> Array:
    weight = _region(sites, parts, (0, -69), (29, 16))
    x = sites[:, 0]
    open_ = (0.5 - below_mouth(sites, parts)) * 2.0
    return np.stack(
        [-0.26 * x * weight, 5.0 * open_ * weight * np.clip(1.2 - np.abs(x) / 30, 0, 1), 6.0 * weight], axis=1
    )


def _press(sites: Array, parts: Array) -> Array:
    x, y = sites[:, 0], sites[:, 1]
    weight = _region(sites, parts, (0, -69.5), (26, 10))
    line = mouth_line(np.minimum(np.abs(x), MOUTH_HALF_WIDTH))
    off = np.clip(y - line, -12.0, 12.0)
    return np.stack([0.04 * x * weight, -0.38 * off * weight, -2.8 * weight], axis=1)


def _corner(move: tuple[float, float, float], size: tuple[float, float]) -> Callable[[int], Move]:
    def for_side(side: int) -> Move:
        def apply(sites: Array, parts: Array) -> Array:
            weight = _region(sites, parts, (MOUTH_HALF_WIDTH, -69.5), size) * _on_side(sites[:, 0], side)
            return _vector(weight, (side * move[0], move[1], move[2]))

        return apply

    return for_side


def _smile(side: int) -> Move:
    corner = _corner((9.0, 6.0, -5.0), (23, 16))(side)

    def apply(sites: Array, parts: Array) -> Array:
        cheek = _region(sites, parts, (42, -38), (15, 13)) * _on_side(sites[:, 0], side)
        return corner(sites, parts) + _vector(cheek, (side * 1.5, 3.5, 4.0))

    return apply


def _upper_lip(side: int) -> Move:
    def apply(sites: Array, parts: Array) -> Array:
        upper = np.clip(1.0 - 2.0 * below_mouth(sites, parts), 0.0, 1.0)
        weight = _region(sites, parts, (11, -63), (13, 11)) * _on_side(sites[:, 0], side)
        wing = _region(sites, parts, (14, -42), (8, 8)) * _on_side(sites[:, 0], side)
        return _vector(weight * upper, (0.0, 6.5, 1.0)) + _vector(wing, (side * 0.6, 2.2, 0.0))

    return apply


def _lower_lip(side: int) -> Move:
    def apply(sites: Array, parts: Array) -> Array:
        lower = np.clip(2.0 * below_mouth(sites, parts) - 1.0, 0.0, 1.0)
        weight = _region(sites, parts, (11, -76), (13, 12)) * _on_side(sites[:, 0], side)
        return _vector(weight * lower, (side * 0.8, -6.5, 0.5))

    return apply


def _blink(side: int) -> Move:
    ring = eye_contour(60)
    lower = ring[:60]
    upper = ring[60:][::-1]

    def apply(sites: Array, parts: Array) -> Array:
        x, y = side * sites[:, 0], sites[:, 1]
        soft = _soft(parts) * (sites[:, 2] > 30) * (x > 0)
        low = np.interp(x, lower[:, 0], lower[:, 1])
        high = np.interp(x, upper[:, 0], upper[:, 1])
        # The lids meet near the lower one: the upper lid does most of a blink.
        closed = low + 0.18 * (high - low)
        within = _smooth((x - 12.0) / 5.0) * _smooth((52.0 - x) / 6.0)
        above = _smooth((13.0 - (y - high)) / 13.0) * (y > (low + high) / 2)
        beneath = _smooth((8.0 - (low - y)) / 8.0) * (y <= (low + high) / 2)
        down = soft * within * ((closed - high) * above + (closed - low) * beneath)
        # The lid rolls over the eyeball instead of through it; the fold above it is not on the ball.
        rolled = np.clip(_lid_depth(x, y + down) - _lid_depth(x, y), 0.0, 1.0)
        forward = soft * within * above**2 * rolled
        return np.stack([np.zeros_like(down), down, forward], axis=1)

    return apply


def _lid_depth(x: Array, y: Array) -> Array:
    radius = EYE_RADIUS + LID_THICKNESS
    off = ((x - EYE_X) / 1.12) ** 2 + y**2
    return np.asarray(EYE_CENTER_Z + np.sqrt(np.maximum(radius**2 - off, 9.0)))


def _brow_up(side: int) -> Move:
    def apply(sites: Array, parts: Array) -> Array:
        weight = _region(sites, parts, (29, 24), (24, 13)) * _on_side(sites[:, 0], side)
        lid = _region(sites, parts, (31, 8), (15, 5)) * _on_side(sites[:, 0], side)
        return _vector(weight, (0.0, 9.0, 0.5)) + _vector(lid, (0.0, 1.2, 0.0))

    return apply


def _brow_down(side: int) -> Move:
    def apply(sites: Array, parts: Array) -> Array:
        weight = _region(sites, parts, (22, 19), (19, 10)) * _on_side(sites[:, 0], side)
        return _vector(weight, (side * -3.0, -6.0, 1.2))

    return apply


def _cheek_raise(side: int) -> Move:
    def apply(sites: Array, parts: Array) -> Array:
        cheek = _region(sites, parts, (40, -24), (17, 12)) * _on_side(sites[:, 0], side)
        lid = _region(sites, parts, (32, -LOWER_LID_DROP - 1), (15, 4)) * _on_side(sites[:, 0], side)
        return _vector(cheek, (0.0, 4.5, 3.0)) + _vector(lid * (sites[:, 1] < 0), (0.0, 2.0, 0.5))

    return apply


def _cheeks_puff(sites: Array, parts: Array) -> Array:
    weight = _region(sites, parts, (42, -62), (17, 16))
    outward = np.sign(sites[:, 0])[:, None] * [7.0, 0.0, 0.0] + np.array([0.0, 0.0, 6.0])
    return np.asarray(weight[:, None] * outward)


_frown = _corner((1.5, -6.5, -1.0), (20, 13))
_stretch = _corner((10.0, -2.0, -6.0), (20, 13))

EXPRESSIONS: dict[str, Move] = {
    "jaw_open": _jaw_open,
    "jaw_left": _jaw_left,
    "jaw_forward": _jaw_forward,
    "lips_pucker": _pucker,
    "lips_funnel": _funnel,
    "lips_press": _press,
    "lips_stretch_left": _stretch(1),
    "lips_stretch_right": _stretch(-1),
    "smile_left": _smile(1),
    "smile_right": _smile(-1),
    "mouth_corner_down_left": _frown(1),
    "mouth_corner_down_right": _frown(-1),
    "upper_lip_raise_left": _upper_lip(1),
    "upper_lip_raise_right": _upper_lip(-1),
    "lower_lip_drop_left": _lower_lip(1),
    "lower_lip_drop_right": _lower_lip(-1),
    "blink_left": _blink(1),
    "blink_right": _blink(-1),
    "brow_up_left": _brow_up(1),
    "brow_up_right": _brow_up(-1),
    "brow_down_left": _brow_down(1),
    "brow_down_right": _brow_down(-1),
    "cheek_raise_left": _cheek_raise(1),
    "cheek_raise_right": _cheek_raise(-1),
    "cheeks_puff": _cheeks_puff,
}
"""Displacement of each expression at full strength."""
