"""Expression coefficients of the builtin head for what a synthetic speaker does."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rendering.arrays import Float32, Float64
from rendering.builtin.head import EXPRESSION_NAMES, FULL_EXPRESSION
from rendering.synthetic.talking_head import Performance

JAW = 0.75
"""Part of a wide open jaw that the loudest vowel needs."""
MODES = {name: mode for mode, name in enumerate(EXPRESSION_NAMES)}


def expression_coefficients(strengths: Mapping[str, Float64 | float], *, frames: int) -> Float32:
    """Coefficients (N, 25) of named expressions.

    Args:
        strengths: strength of each expression, 1 = full: (N,), or one number for all frames.
        frames: N.
    """
    coefficients = np.zeros((frames, len(MODES)), np.float32)
    for name, strength in strengths.items():
        coefficients[:, MODES[name]] = FULL_EXPRESSION * np.asarray(strength)
    return coefficients


def act(motion: Performance) -> Float32:
    """Expression coefficients (N, 25) of a performance."""
    rounded, spread = np.maximum(motion.lips, 0), np.maximum(-motion.lips, 0)
    strengths = {
        "jaw_open": JAW * motion.jaw,
        "lips_pucker": 0.6 * rounded,
        "lips_funnel": 0.4 * rounded,
        "lips_stretch_left": 0.6 * spread,
        "lips_stretch_right": 0.6 * spread,
        "smile_left": motion.smile,
        "smile_right": 0.9 * motion.smile,
        "cheek_raise_left": 0.5 * motion.smile,
        "cheek_raise_right": 0.5 * motion.smile,
        "blink_left": motion.blink_left,
        "blink_right": motion.blink_right,
        "brow_up_left": motion.brows,
        "brow_up_right": motion.brows,
    }
    return expression_coefficients(strengths, frames=len(motion.jaw))
