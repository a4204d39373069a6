"""Vertex colours of the builtin head: skin, brows, lips, eyes, teeth, hair and clothes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rendering.arrays import Array, Float32
from rendering.builtin.contours import (
    LOWER_LIP,
    MOUTH_HALF_WIDTH,
    distance_to,
    eye_contour,
    lower_lip_border,
    mouth_line,
    upper_lip_border,
)
from rendering.builtin.hair import hair_amount
from rendering.builtin.parts import EYE_SEGMENTS, BodyPart
from rendering.builtin.relief import bump

Color = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadAppearance:
    """The colours of a person: linear RGB reflectances, 0..1."""

    skin: Color = (0.62, 0.42, 0.32)
    redness: float = 1.0
    """Redness of cheeks, nose and ears: 0 none, 1 usual, 2 strong."""
    lips: Color = (0.52, 0.24, 0.22)
    hair: Color = (0.07, 0.045, 0.03)
    iris: Color = (0.16, 0.10, 0.06)
    clothes: Color = (0.10, 0.13, 0.20)
    brow_density: float = 0.9
    """0..1."""
    stubble: float = 0.0
    """0..1."""
    freckles: float = 0.0
    """0..1."""
    unevenness: float = 0.03
    """Relative standard deviation of the skin's mottling."""
    seed: int = 0
    """Seed of mottling, freckles and single hairs."""


# Palettes from which random_appearance() draws.
SKINS: tuple[Color, ...] = (
    (0.72, 0.52, 0.43),
    (0.64, 0.44, 0.34),
    (0.55, 0.36, 0.26),
    (0.42, 0.26, 0.17),
    (0.28, 0.16, 0.10),
    (0.16, 0.09, 0.06),
)
HAIRS: tuple[Color, ...] = (
    (0.02, 0.015, 0.012),
    (0.06, 0.035, 0.022),
    (0.14, 0.08, 0.045),
    (0.36, 0.24, 0.12),
    (0.28, 0.10, 0.04),
    (0.35, 0.34, 0.33),
)
IRISES: tuple[Color, ...] = (
    (0.13, 0.07, 0.04),
    (0.22, 0.14, 0.06),
    (0.16, 0.20, 0.12),
    (0.16, 0.24, 0.32),
    (0.05, 0.03, 0.02),
)
CLOTHES: tuple[Color, ...] = (
    (0.08, 0.10, 0.16),
    (0.45, 0.44, 0.42),
    (0.20, 0.05, 0.05),
    (0.05, 0.10, 0.08),
    (0.30, 0.32, 0.38),
)


def random_appearance(seed: int) -> HeadAppearance:
    """Plausible colours of a person; the same seed gives the same colours."""
    random = np.random.default_rng(seed)
    tone = random.uniform(0, len(SKINS) - 1)
    low = int(tone)
    share = tone - low
    skin = tuple(
        (1 - share) * a + share * b
        for a, b in zip(SKINS[low], SKINS[min(low + 1, len(SKINS) - 1)], strict=True)
    )
    # Dark skin goes with dark hair and brown eyes; it shows less redness and no freckles.
    dark = tone > 2.5
    hair = HAIRS[int(random.integers(2 if dark else len(HAIRS)))]
    iris = IRISES[int(random.choice([0, 4]) if dark else random.integers(len(IRISES)))]
    blood = random.uniform(0.5, 1.0)
    lips = (0.80 * skin[0] + 0.03 * blood, skin[1] * (0.72 - 0.22 * blood), skin[2] * (0.85 - 0.2 * blood))
    return HeadAppearance(
        skin=(skin[0], skin[1], skin[2]),
        redness=float(random.uniform(0.5, 1.4)) * (0.5 if dark else 1.0),
        lips=lips,
        hair=hair,
        iris=iris,
        clothes=CLOTHES[int(random.integers(len(CLOTHES)))],
        brow_density=float(random.uniform(0.75, 1.0)),
        stubble=float(max(0.0, random.uniform(-0.6, 0.7))),
        freckles=float(max(0.0, random.uniform(-1.0, 0.6))) * (0.0 if dark else 1.0),
        seed=seed,
    )


def vertex_colors(appearance: HeadAppearance, *, sites: Array, parts: Array, detail: Array) -> Float32:
    """Linear RGB 0..1 of every vertex, (V, 3).

    Args:
        appearance: the person's colours.
        sites: anatomical place of each vertex, design space, (V, 3) mm.
        parts: BodyPart of each vertex, (V,).
        detail: what colours need beyond the site, (V,); see Piece.detail.
    """
    colors = _skin(appearance, sites, parts)
    hairy = np.where(parts == BodyPart.SKIN, hair_amount(sites), 0.0)
    random = np.random.default_rng(appearance.seed + 1)
    strands = 1.0 + 0.14 * random.standard_normal(len(sites))
    colors = _mixed(colors, np.array(appearance.hair) * strands[:, None], np.clip(hairy * 1.4, 0, 1))
    hollow = (parts == BodyPart.EAR) * np.clip((13.0 - detail) / 11.0, 0.0, 1.0)
    colors = colors * (1.0 - 0.6 * hollow)[:, None]
    _paint_insides(colors, parts, detail)
    for part in (BodyPart.RIGHT_EYE, BodyPart.LEFT_EYE):
        colors[parts == part] = _eye_colors(appearance, detail[parts == part])
    shirt = np.array(appearance.clothes) * np.where(detail <= 1, 0.75, 1.0)[:, None]
    colors = np.where((parts == BodyPart.SHOULDERS)[:, None], shirt, colors)
    return np.clip(colors, 0.0, 1.0).astype(np.float32)


def _mixed(base: Array, paint: Array | Color, amount: Array) -> Array:
    return np.asarray(base + amount[:, None] * (np.asarray(paint) - base))


def _skin(appearance: HeadAppearance, sites: Array, parts: Array) -> Array:
    x, y, z = np.abs(sites[:, 0]), sites[:, 1], sites[:, 2]
    front = np.clip((z - 15.0) / 20.0, 0.0, 1.0)
    random = np.random.default_rng(appearance.seed)
    skin = np.array(appearance.skin)
    mottle = _mottling(random, sites)
    colors = skin * (1.0 + appearance.unevenness * mottle[:, None])
    # Blood shows on cheeks, nose, chin and ears.
    blush = (
        0.5 * bump(x, y, at=(42, -30), size=(20, 16))
        + 0.6 * bump(x, y, at=(0, -38), size=(15, 12))
        + 0.25 * bump(x, y, at=(0, -104), size=(16, 12))
    ) * front + 0.5 * (parts == BodyPart.EAR)
    colors = _mixed(colors, skin * [1.06, 0.72, 0.70], np.clip(blush * appearance.redness, 0, 1) * 0.7)
    # Eye sockets are darker: below the eyes and under the brows.
    shade = 0.45 * bump(x, y, at=(24, -9), size=(11, 5)) + 0.35 * bump(x, y, at=(30, 9), size=(16, 5))
    colors = _mixed(colors, skin * [0.70, 0.62, 0.62], shade * front)
    # Stubble grows below the nose, not on the lips and not on the upper cheeks.
    beard = (
        _smooth_step((-46.0 - y) / 14.0)
        * (1 - bump(x, y, at=(0, -69), size=(27, 11), power=4))
        * _smooth_step((z - 0) / 40)
    )
    beard = beard * _smooth_step((y + 132.0) / 12.0) * (1 - 0.8 * bump(x, y, at=(44, -48), size=(16, 18)))
    colors = _mixed(colors, 0.6 * np.array(appearance.hair) + 0.25 * skin, 0.75 * appearance.stubble * beard)
    # Freckles are single darker vertices around nose and cheeks.
    freckled = (random.random(len(sites)) < 0.22) * bump(x, y, at=(24, -24), size=(34, 22)) * front
    colors = _mixed(colors, skin * [0.62, 0.48, 0.40], freckled * appearance.freckles)
    colors = _mixed(colors, appearance.lips, _lip_amount(x, y) * front)
    colors = _mixed(
        colors,
        np.array(appearance.lips) * 0.35,
        front * np.exp(-(((y - mouth_line(x)) / 0.9) ** 2)) * (x < MOUTH_HALF_WIDTH + 0.5),
    )
    nostril = bump(x, y, at=(6.4, -46.3), size=(3.9, 2.6), power=4) * front
    colors = _mixed(colors, skin * 0.12, 0.9 * nostril)
    colors = _mixed(colors, appearance.hair, appearance.brow_density * _brow_amount(x, y, random) * front)
    ring = eye_contour(40)
    # Lashes darken the skin along the opening, the upper ones more.
    lash = np.exp(-((distance_to(np.stack([x, y], axis=1), ring) / 1.1) ** 2)) * front
    lash = lash * np.where(y > -1.2, 0.85, 0.45)
    return _mixed(colors, np.array(appearance.hair) * 0.5 + 0.01, lash)


def _smooth_step(value: Array) -> Array:
    clipped = np.clip(value, 0.0, 1.0)
    return np.asarray(clipped * clipped * (3 - 2 * clipped))


def _mottling(random: np.random.Generator, sites: Array) -> Array:
    """Smooth noise over the surface: random plane waves of three wave lengths, about unit variance."""
    total = np.zeros(len(sites))
    for wave_mm, weight in ((60.0, 0.6), (25.0, 0.6), (9.0, 0.45)):
        directions = random.standard_normal((12, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        phases = random.uniform(0, 2 * np.pi, 12)
        total += (
            weight * np.sin(sites @ directions.T * (2 * np.pi / wave_mm) + phases).sum(axis=1) / np.sqrt(6.0)
        )
    return total


def _lip_amount(x: Array, y: Array) -> Array:
    line = mouth_line(x)
    top, bottom = upper_lip_border(x), lower_lip_border(x)
    inside = np.minimum(top - y, y - bottom)
    amount = _smooth_step((inside + 0.8) / 1.6)
    return np.asarray(amount * (x < MOUTH_HALF_WIDTH + 0.3) * (np.abs(y - line) < LOWER_LIP + 3))


def _brow_amount(x: Array, y: Array, random: np.random.Generator) -> Array:
    along = np.clip((x - 10.0) / 41.0, 0.0, 1.0)
    middle = 15.0 + 9.0 * along - 10.5 * np.clip(along - 0.62, 0, 1) ** 1.2 * 2.0
    half = 4.3 * (1 - along) ** 0.55 * _smooth_step(along / 0.16 + 0.25) + 0.9
    amount = _smooth_step((half + 0.9 - np.abs(y - middle)) / 2.0)
    ends = _smooth_step((x - 8.5) / 4.0) * _smooth_step((52.5 - x) / 4.0)
    hairs = 0.85 + 0.15 * random.random(len(x))
    return amount * ends * hairs


def _paint_insides(colors: Array, parts: Array, detail: Array) -> None:
    lining = parts == BodyPart.MOUTH_LINING
    depth = np.clip(detail / 3.0, 0.0, 1.0)[:, None]
    gums = np.array([0.36, 0.13, 0.12]) * (1 - depth) + np.array([0.035, 0.012, 0.012]) * depth
    edge = lining & (detail < 0.5)
    colors[lining & ~edge] = gums[lining & ~edge]
    rim = parts == BodyPart.LID_RIM
    colors[rim & (detail > 0.5)] = np.array([0.50, 0.27, 0.25]) * colors[rim].mean(axis=1).max() / 0.5
    teeth = np.isin(parts, (BodyPart.UPPER_TEETH, BodyPart.LOWER_TEETH))
    enamel = np.array([0.74, 0.70, 0.60]) * (1 - 0.45 * np.clip(detail, 0, 1))[:, None]
    colors[teeth] = np.where((detail < 0)[:, None], [0.42, 0.16, 0.15], enamel)[teeth]


def _eye_colors(appearance: HeadAppearance, polar_deg: Array) -> Array:
    """Pupil, iris and sclera by the polar angle, shaded under the upper lid, with a small catch light."""
    iris = np.array(appearance.iris)
    knots = (0.0, 9.3, 10.3, 16.0, 25.0, 28.4, 30.0, 40.0, 90.0)
    sclera, vein = np.array([0.66, 0.62, 0.59]), np.array([0.55, 0.40, 0.37])
    rings = (
        np.full(3, 0.006),
        np.full(3, 0.006),
        iris * 1.15,
        iris * 1.5,
        iris,
        iris * 0.35,
        sclera,
        sclera,
        vein,
    )
    values = np.stack(rings)
    colors = np.stack([np.interp(polar_deg, knots, values[:, k]) for k in range(3)], axis=1)
    around = np.tile(np.linspace(0, 2 * np.pi, EYE_SEGMENTS, endpoint=False), len(polar_deg) // EYE_SEGMENTS)
    height = np.sin(np.radians(polar_deg)) * np.sin(around)
    colors *= 1.0 - 0.5 * _smooth_step((height - 0.18) / 0.25)[:, None]
    sideways = np.sin(np.radians(polar_deg)) * np.cos(around)
    light = np.hypot(height - 0.19, sideways - 0.10) < 0.07
    colors[light] = 0.85
    return colors
