"""Parts of the builtin head besides its skin: eyeballs, teeth, inside of mouth and lids, ears, shoulders."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from rendering.arrays import Array, Int32
from rendering.builtin.contours import (
    EYE_CENTER_Z,
    EYE_RADIUS,
    EYE_X,
    MOUTH_Y,
    lip_share,
    mouth_line,
)
from rendering.builtin.mesh import BuiltinSkin, skin_mesh


class BodyPart(IntEnum):
    """What a vertex belongs to."""

    SKIN = 0
    LID_RIM = 1
    """The thickness of the lids, hidden behind them."""
    MOUTH_LINING = 2
    RIGHT_EYE = 3
    LEFT_EYE = 4
    UPPER_TEETH = 5
    LOWER_TEETH = 6
    EAR = 7
    SHOULDERS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A mesh part in design space."""

    part: BodyPart
    points: Array
    """(V, 3) mm."""
    sites: Array
    """(V, 3) mm: place of the vertex for anatomy; a vertex moves as its site does, a whole eyeball as one."""
    triangles: Int32
    """(F, 3), local ids."""
    detail: Array
    """(V,), what colours need: polar angle on an eyeball, gap between teeth, depth into the mouth, ..."""


# Polar angles of an eyeball's rings: pupil to 9.5, iris to 28.5 degrees.
EYE_ANGLES_DEG = (0.01, 6, 9.2, 10.4, 15, 20, 25, 27.8, 29.8, 33, 40, 50, 65, 85)
EYE_SEGMENTS = 24
TOOTH_COLUMNS = 36
EAR_SEGMENTS = 28
# Rings of an ear from the root to the hollow: (size, mm from the head).
EAR_RINGS = (
    *((0.60, -5.0), (0.84, 6.0), (0.97, 13.0), (1.0, 16.0), (0.95, 17.5), (0.86, 15.0), (0.78, 11.5)),
    *((0.66, 13.5), (0.56, 12.0), (0.46, 5.5), (0.24, 2.2), (0.02, 2.0)),
)


def pieces() -> tuple[BuiltinSkin, list[Piece]]:
    """The skin mesh, and all pieces of the head with the skin first."""
    skin = skin_mesh()
    lids = [_lid_rim(skin, ring, side) for ring, side in ((skin.right_lids, -1), (skin.left_lids, 1))]
    return skin, [
        Piece(
            part=BodyPart.SKIN,
            points=skin.points,
            sites=skin.sites,
            triangles=skin.triangles,
            detail=np.zeros(len(skin.points)),
        ),
        *lids,
        _mouth_lining(skin),
        _eyeball(BodyPart.RIGHT_EYE, -1),
        _eyeball(BodyPart.LEFT_EYE, 1),
        _teeth(BodyPart.UPPER_TEETH),
        _teeth(BodyPart.LOWER_TEETH),
        _ear(-1),
        _ear(1),
        _shoulders(),
    ]


def loft(rings: Array, *, closed: bool) -> Int32:
    """Triangles between consecutive rings of points (R, S, ...): (F, 3); ids count ring by ring."""
    rows, samples = rings.shape[:2]
    ids = np.arange(rows * samples, dtype=np.int32).reshape(rows, samples)
    following = np.roll(ids, -1, axis=1)
    a, b, c, d = (
        part if closed else part[:, :-1] for part in (ids[:-1], following[:-1], following[1:], ids[1:])
    )
    quads = np.stack([a, b, c, d], axis=-1).reshape(-1, 4)
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


def _lid_rim(skin: BuiltinSkin, ring: Int32, side: int) -> Piece:
    edge = skin.points[ring]
    center = np.array([side * EYE_X, 0.0, EYE_CENTER_Z])
    away = edge - center
    unit = away / np.linalg.norm(away, axis=1, keepdims=True)
    # The rim turns in and meets the eyeball just under its surface, also at the corners.
    inner = center + unit * (EYE_RADIUS + 0.35)
    behind = center + unit * (EYE_RADIUS - 0.6)
    rings = np.stack([edge, inner, behind])
    triangles = loft(rings, closed=True)
    return Piece(
        part=BodyPart.LID_RIM,
        points=rings.reshape(-1, 3),
        sites=np.tile(edge, (3, 1)),
        triangles=triangles if side > 0 else triangles[:, ::-1],
        detail=np.repeat([0.0, 1.0, 2.0], len(edge)),
    )


def _mouth_lining(skin: BuiltinSkin) -> Piece:
    site = skin.sites[skin.lips]
    edge = skin.points[skin.lips]
    side = np.sign(site[:, 1] - mouth_line(site[:, 0]))
    upper = side * np.sqrt(lip_share(site[:, 0]))
    rings = [edge]
    for back, rise, shrink in (
        (1.5, 0.2, 1.0),
        (5.0, 2.0, 1.02),
        (12.0, 7.0, 1.04),
        (34.0, 9.0, 0.8),
    ):
        ring = edge.copy()
        ring[:, 0] *= shrink
        ring[:, 1] += rise * upper
        ring[:, 2] -= back
        rings.append(ring)
    sites = [site] * len(rings)
    throat = np.tile([0.0, MOUTH_Y, 52.0], (len(edge), 1))
    rings.append(throat)
    sites.append(throat)
    stacked = np.stack(rings)
    return Piece(
        part=BodyPart.MOUTH_LINING,
        points=stacked.reshape(-1, 3),
        sites=np.concatenate(sites),
        triangles=loft(stacked, closed=True)[:, ::-1],
        detail=np.repeat(np.arange(len(rings), dtype=float), len(edge)),
    )


def _eyeball(part: BodyPart, side: int) -> Piece:
    polar = np.radians(EYE_ANGLES_DEG)[:, None]
    around = np.linspace(0, 2 * np.pi, EYE_SEGMENTS, endpoint=False)[None]
    unit = np.stack(
        [np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar) + 0 * around], axis=-1
    )
    center = np.array([side * EYE_X, 0.0, EYE_CENTER_Z])
    points = (center + EYE_RADIUS * unit).reshape(-1, 3)
    return Piece(
        part=part,
        points=points,
        sites=np.tile(center + np.array([0.0, 0.0, EYE_RADIUS]), (len(points), 1)),
        triangles=loft(unit, closed=True)[:, ::-1],
        detail=np.repeat(np.asarray(EYE_ANGLES_DEG, float), EYE_SEGMENTS),
    )


def _teeth(part: BodyPart) -> Piece:
    """An arch of teeth in four rows: gum, neck, middle, edge."""
    upper = part is BodyPart.UPPER_TEETH
    angle = np.linspace(-1.25, 1.25, TOOTH_COLUMNS + 1)
    columns = np.arange(TOOTH_COLUMNS + 1)
    gap = (columns % 3 == 0).astype(float)
    heights = (-56.0, -61.5, -66.0, -70.6) if upper else (-86.0, -80.0, -76.0, -72.2)
    setback = (1.5, 0.6, 0.0, 0.8) if upper else (4.0, 3.0, 2.6, 3.2)
    radius = 23.0 if upper else 21.5
    rings = []
    for height, back in zip(heights, setback, strict=True):
        depth = 0.5 * gap + back
        rise = (0.5 if upper else -0.3) * gap * (height in heights[-1:])
        x = (radius - depth) * np.sin(angle)
        z = 62.5 + (radius + 4.0 - depth) * np.cos(angle)
        rings.append(np.stack([x, np.full_like(x, height) + rise, z], axis=1))
    stacked = np.stack(rings)
    triangles = loft(stacked, closed=False)
    return Piece(
        part=part,
        points=stacked.reshape(-1, 3),
        sites=np.tile(
            [0.0, MOUTH_Y + (6.0 if upper else -6.0), 92.0], (stacked.shape[0] * stacked.shape[1], 1)
        ),
        triangles=triangles[:, ::-1] if upper else triangles,
        detail=np.concatenate([np.full(len(columns), -1.0), np.tile(gap, 3)]),
    )


def _ear(side: int) -> Piece:
    """The shell of an ear in rings: root, back of the rim, rim, groove, inner ridge, hollow."""
    around = np.linspace(0, 2 * np.pi, EAR_SEGMENTS, endpoint=False)
    size, out = (np.array(values)[:, None] for values in zip(*EAR_RINGS, strict=True))
    up, forward = np.sin(around), np.cos(around)
    # An ear is wider above than below, its axis leans back, and its hollow lies in front of the middle.
    height = size * 30.0 * up
    depth = size * (15.5 + 4.0 * up) * forward - 0.16 * height + 3.0 * (1 - size)
    # The rim stands off behind and runs into the cheek in front; the lobe hangs close.
    stand = out * np.clip(0.68 - 0.34 * forward - 0.16 * np.clip(-up, 0, 1), 0.2, 1.0)
    points = np.stack([side * (74.5 + stand), -19.0 + height, -6.0 + depth], axis=-1)
    triangles = loft(points, closed=True)
    return Piece(
        part=BodyPart.EAR,
        points=points.reshape(-1, 3),
        sites=points.reshape(-1, 3),
        triangles=triangles[:, ::-1] if side > 0 else triangles,
        detail=np.repeat(out[:, 0], EAR_SEGMENTS),
    )


def _shoulders() -> Piece:
    around = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    # (height, half width, half depth, shift back) of each ring, collar to chest.
    shape = (
        (-160, 59, 57, -4),
        (-166, 66, 63, -5),
        (-176, 82, 70, -10),
        (-190, 116, 76, -16),
        (-204, 160, 82, -20),
        (-222, 190, 88, -20),
        (-260, 208, 98, -18),
        (-330, 214, 108, -14),
        (-420, 216, 112, -12),
    )
    rings = []
    for height, width, depth, back in shape:
        x = width * np.sign(np.sin(around)) * np.abs(np.sin(around)) ** 0.85
        z = depth * np.cos(around) + back
        rings.append(np.stack([x, height - 0.04 * np.cos(around) * 90, z], axis=1))
    stacked = np.stack(rings)
    return Piece(
        part=BodyPart.SHOULDERS,
        points=stacked.reshape(-1, 3),
        sites=np.tile([0.0, -300.0, 0.0], (stacked.shape[0] * stacked.shape[1], 1)),
        triangles=loft(stacked, closed=True)[:, ::-1],
        detail=np.repeat(np.arange(len(shape), dtype=float), len(around)),
    )
