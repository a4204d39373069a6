"""Where hair grows, and how far it stands off the scalp."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

# Angle round the head (0 = front) -> height of the hair line, mm.
LINE_ANGLES_DEG = (0, 12, 24, 36, 46, 54, 62, 68, 73, 77, 82, 88, 100, 110, 118, 132, 150, 180)
LINE_MM = (60, 61, 63, 57, 46, 33, 20, 4, -18, -22, -4, 10, 14, 2, -30, -50, -60, -62)
FADE_MM = 10.0
TOP_MM = 13.0
SIDE_MM = 5.5
CENTER = (0.0, 15.0, -4.0)


def hair_amount(sites: Array) -> Array:
    """0 on bare skin, 1 well inside the hair: (V, 3) mm -> (V,)."""
    angle = np.degrees(np.abs(np.arctan2(sites[:, 0], sites[:, 2])))
    above = sites[:, 1] - np.interp(angle, LINE_ANGLES_DEG, LINE_MM)
    return np.asarray(np.clip(above / FADE_MM + 0.5, 0.0, 1.0))


def add_hair(points: Array) -> Array:
    """The scalp with hair on it: (V, 3) mm -> (V, 3) mm."""
    away = points - np.array(CENTER)
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    thickness = SIDE_MM + (TOP_MM - SIDE_MM) * np.clip((points[:, 1] - 20.0) / 70.0, 0.0, 1.0)
    amount = hair_amount(points)
    # Colour begins before the relief: no bare skin on the step.
    raised = np.clip((amount - 0.35) / 0.65, 0.0, 1.0)
    return np.asarray(points + (thickness * raised * (2 - raised))[:, None] * away)
