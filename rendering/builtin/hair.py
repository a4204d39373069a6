"""Hair of the builtin head: where it grows, and how far it stands off the scalp; mm of design space."""

from __future__ import annotations

import numpy as np

from rendering.arrays import Array

# Angle round the head (0 = front) -> height of the hair line, mm.
LINE_ANGLES_DEG = (0, 12, 24, 36, 46, 54, 62, 68, 73, 77, 82, 88, 100, 110, 118, 132, 150, 180)
LINE_MM = (60, 61, 63, 57, 46, 33, 20, 4, -18, -22, -4, 10, 14, 2, -30, -50, -60, -62)
FADE_MM = 10.0
TOP_MM = 13.0
SIDE_MM = 5.5
CENTER = (0.0, 15.0, -4.0)


def hair_amount(sites: Array) -> Array:
    """Amount of hair, 0 on bare skin, 1 well inside the hair: (V, 3) mm -> (V,)."""
    # The hair line is a height that depends on the direction from the head's axis.
    angle = np.degrees(np.abs(np.arctan2(sites[:, 0], sites[:, 2])))
    above = sites[:, 1] - np.interp(angle, LINE_ANGLES_DEG, LINE_MM)
    return np.asarray(np.clip(above / FADE_MM + 0.5, 0.0, 1.0))


def add_hair(points: Array) -> Array:
    """Points of the head raised by the hair on them: (V, 3) mm -> (V, 3) mm."""
    away = points - np.array(CENTER)
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    thickness = SIDE_MM + (TOP_MM - SIDE_MM) * np.clip((points[:, 1] - 20.0) / 70.0, 0.0, 1.0)
    amount = hair_amount(points)
    # Hair colour begins further out than hair relief, so that the step shows no bare skin.
    raised = np.clip((amount - 0.35) / 0.65, 0.0, 1.0)
    return np.asarray(points + (thickness * raised * (2 - raised))[:, None] * away)
