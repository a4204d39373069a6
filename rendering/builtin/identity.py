"""50 named anatomical variations of the builtin head, one standard deviation each, in mm of design space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rendering.arrays import Array
from rendering.builtin.parts import BodyPart


@dataclass(frozen=True, slots=True)
class Swell:
    """A smooth local displacement: exp(-(distance / size)^2) x move."""

    at: tuple[float, float, float]
    """Centre on the left side (x >= 0), mm; the right side mirrors it."""
    size: tuple[float, float, float]
    """Distance at which the displacement has fallen to 1 / e, along each axis, mm."""
    move: tuple[float, float, float]
    """Displacement of the centre, mm; positive x is outwards, away from the middle of the face."""
    one_sided: bool = False
    """True = the right side does not mirror it: an asymmetry."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A scaling about a point, limited in height: distances from the point times (1 + scale)."""

    scale: tuple[float, float, float]
    about: tuple[float, float, float] = (0.0, -10.0, 0.0)
    above: float = -1000.0
    """The scaling fades in over 40 mm above this height, mm."""
    below: float = 1000.0
    """The scaling fades in over 40 mm below this height, mm."""


WIDE = 400.0
"""A size that does not limit."""

IDENTITY: dict[str, tuple[Swell | Stretch, ...]] = {
    "head_size": (Stretch((0.022, 0.022, 0.022)),),
    "head_width": (Stretch((0.028, 0.0, 0.0)),),
    "head_depth": (Stretch((0.0, 0.0, 0.022)),),
    "face_length": (Stretch((0.0, 0.035, 0.0), about=(0, 0, 0), below=20.0),),
    "cranium_height": (Stretch((0.0, 0.045, 0.0), about=(0, 20, 0), above=40.0),),
    "forehead_height": (Swell((0, 55, 80), (60, 30, 60), (0, 3.0, 0)),),
    "forehead_slope": (Swell((0, 62, 78), (55, 28, 60), (0, 0, -4.0)),),
    "forehead_width": (Swell((62, 45, 45), (30, 35, 45), (3.0, 0, 0)),),
    "temple_hollow": (Swell((66, 18, 38), (18, 22, 28), (-2.2, 0, -1.0)),),
    "brow_ridge": (Swell((24, 17, 86), (20, 8, 30), (0, 0, 2.4)),),
    "brow_height": (Swell((30, 19, 82), (24, 10, 30), (0, 2.0, 0)),),
    "glabella": (Swell((0, 16, 96), (12, 11, 30), (0, 0, 1.8)),),
    "eye_spacing": (Swell((31.5, 0, 76), (22, 16, 40), (1.7, 0, 0)),),
    "eye_height": (Swell((31.5, 0, 76), (24, 15, 40), (0, 1.6, 0)),),
    "eye_depth": (Swell((31.5, 2, 76), (19, 13, 40), (0, 0, -1.8)),),
    "eye_width": (Swell((47, 0, 70), (9, 9, 25), (1.5, 0, 0)), Swell((16, -2, 76), (7, 8, 25), (-0.8, 0, 0))),
    "eye_tilt": (Swell((48, 1, 70), (11, 9, 30), (0, 1.7, 0)), Swell((15, -2, 76), (9, 8, 30), (0, -0.8, 0))),
    "upper_lid": (Swell((31.5, 7, 80), (14, 4.5, 25), (0, -1.0, 0.2)),),
    "lower_lid": (Swell((31.5, -7, 79), (14, 5, 25), (0, 0.7, 0.3)),),
    "lid_fold": (Swell((34, 11, 80), (16, 5, 25), (0, -1.5, 2.0)),),
    "under_eye": (Swell((29, -14, 79), (14, 6, 25), (0, 0, 1.6)),),
    "nose_length": (Swell((0, -38, 112), (17, 18, 45), (0, -3.0, 0.5)),),
    "nose_bridge_height": (Swell((0, -12, 100), (9, 17, 35), (0, 0, 2.6)),),
    "nose_bridge_width": (Swell((8, -14, 94), (8, 16, 30), (1.5, 0, 0.4)),),
    "nose_hump": (Swell((0, -17, 103), (8, 7, 30), (0, 0, 2.0)),),
    "nose_tip_height": (Swell((0, -38, 116), (12, 9, 30), (0, 2.6, 0)),),
    "nose_protrusion": (Swell((0, -37, 114), (14, 14, 35), (0, 0, 2.8)),),
    "nose_width": (Swell((14, -41, 100), (9, 8, 25), (2.0, 0, 0)),),
    "nose_tip_width": (Swell((8, -38, 113), (6, 7, 15), (1.4, 0, 0)),),
    "nostril_height": (Swell((14, -43, 100), (7, 7, 25), (0, 1.8, 0)),),
    "nose_root": (Swell((0, 2, 92), (10, 9, 30), (0, 0, 2.2)),),
    "cheekbone_width": (Swell((62, -16, 38), (20, 20, 35), (3.0, 0, 0)),),
    "cheekbone_front": (Swell((42, -24, 76), (18, 14, 30), (0.6, 0, 2.6)),),
    "cheek_fullness": (Swell((46, -56, 62), (20, 20, 35), (2.4, 0, 2.6)),),
    "nasolabial_fold": (
        Swell((27, -56, 84), (6, 12, 25), (0, 0, -1.3)),
        Swell((36, -50, 80), (8, 11, 25), (0, 0, 1.2)),
    ),
    "philtrum_length": (Swell((0, -70, 97), (36, 13, 45), (0, -2.0, 0)),),
    "mouth_width": (Swell((25, -69.5, 88), (13, 12, 35), (2.4, 0, -0.6)),),
    "mouth_protrusion": (Swell((0, -68, 98), (28, 18, 45), (0, 0, 2.4)),),
    "upper_lip_fullness": (Swell((0, -63, 102), (18, 4.0, 40), (0, 1.3, 1.2)),),
    "lower_lip_fullness": (Swell((0, -77, 101), (17, 5.0, 40), (0, -1.5, 1.4)),),
    "mouth_corners": (Swell((25, -69.5, 88), (10, 8, 30), (0, 1.6, 0)),),
    "chin_height": (Swell((0, -112, 88), (32, 18, 50), (0, -3.4, 0)),),
    "chin_protrusion": (Swell((0, -106, 92), (26, 16, 40), (0, 0, 3.4)),),
    "chin_width": (Swell((20, -106, 82), (15, 14, 35), (3.0, 0, 0)),),
    "jaw_width": (Swell((55, -78, 22), (24, 28, 45), (4.0, 0, 0)),),
    "jaw_angle": (Swell((54, -84, 22), (22, 18, 40), (0, -4.0, 0)),),
    "under_chin": (Swell((0, -122, 62), (36, 20, 36), (0, -4.0, 1.5)),),
    "neck_width": (Swell((55, -160, 0), (40, 40, 80), (4.0, 0, 0)),),
    "face_skew": (
        Swell((0, -95, 85), (60, 40, 80), (1.6, 0, 0), True),
        Swell((31, 0, 76), (22, 15, 40), (0, 0.8, 0), True),
    ),
    "ear_size": (Swell((75, -20, -8), (14, 40, 30), (2.5, 0, -1.0)),),
}
"""Movements of each variation. Positive is more: wider, higher, further forward, fuller."""


def displacement(moves: tuple[Swell | Stretch, ...], sites: Array, parts: Array) -> Array:
    """Displacements of one variation: sites (V, 3) mm, parts (V,) -> (V, 3) mm; shoulders do not move."""
    total = np.zeros_like(sites)
    for move in moves:
        total += _stretched(move, sites) if isinstance(move, Stretch) else _swollen(move, sites)
    return np.where((parts == BodyPart.SHOULDERS)[:, None], 0.0, total)


def _swollen(swell: Swell, sites: Array) -> Array:
    x = sites[:, 0]
    sides = (1,) if swell.one_sided else (1, -1)
    total = np.zeros_like(sites)
    for side in sides:
        offsets = (sites - np.array(swell.at) * [side, 1, 1]) / np.array(swell.size)
        weight = np.exp(-(offsets**2).sum(axis=1))
        total += weight[:, None] * np.array(swell.move) * [side, 1, 1]
    # Both sides share a centre on the plane of symmetry, which would move it twice.
    if swell.at[0] == 0.0 and not swell.one_sided:
        total /= 2.0
    # Outwards means opposite ways on the two sides: points on the plane of symmetry stay on it.
    if swell.move[0] and not swell.one_sided:
        total[:, 0] *= np.tanh(np.abs(x) / 4.0)
    return total


def _stretched(stretch: Stretch, sites: Array) -> Array:
    height = sites[:, 1]
    # Linear fades over 40 mm keep the surface continuous.
    rising = np.clip((height - stretch.above) / 40.0, 0.0, 1.0)
    falling = np.clip((stretch.below - height) / 40.0, 0.0, 1.0)
    # The neck ends in the shoulders, which do not move.
    neck = np.clip((height + 165.0) / 40.0, 0.0, 1.0)
    weight = rising * falling * neck
    return np.asarray(weight[:, None] * np.array(stretch.scale) * (sites - np.array(stretch.about)))
