"""Backgrounds of synthetic clips: an out-of-focus room, and a camera that moves over a photograph."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from rendering.arrays import Float32, Float64, UInt8

LIGHTS = 14
"""Discs of light and shadow in the room."""


def blurred_room(seed: int, *, width: int, height: int, color: tuple[float, float, float]) -> Float32:
    """A wall of about the given colour with shapes far out of focus: linear light, (H, W, 3)."""
    random = np.random.default_rng([seed, 4])
    coarse = random.uniform(0.55, 1.45, (5, 6, 1)) * random.uniform(0.85, 1.15, (5, 6, 3))
    wall = np.asarray(
        cv2.resize((coarse * color).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    )
    columns, rows = np.arange(width) + 0.5, np.arange(height)[:, None] + 0.5
    for _ in range(LIGHTS):
        x, y, radius = random.uniform([0, 0, 0.02 * width], [width, height, 0.09 * width])
        shape = (np.hypot(columns - x, rows - y) < radius).astype(np.float32)
        tint = (random.uniform(0.3, 1.9, 3) * color).astype(np.float32)
        opacity = random.uniform(0.15, 0.6) * np.asarray(cv2.GaussianBlur(shape, (0, 0), radius / 4))
        wall = wall + opacity.astype(np.float32)[..., None] * (tint - wall)
    return np.clip(np.asarray(cv2.GaussianBlur(wall, (0, 0), width / 110), np.float32), 0, 1)


def pan_and_zoom(
    photograph: UInt8,
    places: Float64,
    *,
    center: tuple[float, float],
    windows: tuple[float, float],
    size: int,
) -> Iterator[UInt8]:
    """Pictures (size, size, 3) of a camera that drifts and closes in on a photograph.

    Args:
        photograph: (H, W, 3) RGB.
        places: how far along its way the camera is in each picture, (N,) in 0..1.
        center: point around which it looks, px of the photograph.
        windows: side of the square in view at the start and at the end, px of the photograph.
        size: side of a picture, px.
    """
    for place in places:
        # Ease in and out, as a hand-held camera starts and stops.
        eased = 0.5 - 0.5 * np.cos(np.pi * place)
        window = windows[0] + eased * (windows[1] - windows[0])
        left = center[0] - window / 2 + 0.06 * window * np.sin(2 * np.pi * place)
        top = center[1] - window / 2 + 0.04 * window * np.cos(np.pi * place)
        scale = size / window
        # Pixel centres lie at +0.5; cv2 puts the origin at the first centre.
        transform = np.array(
            [[scale, 0, (0.5 - left) * scale - 0.5], [0, scale, (0.5 - top) * scale - 0.5]], np.float64
        )
        picture = cv2.warpAffine(photograph, transform, (size, size), flags=cv2.INTER_CUBIC)
        yield np.asarray(picture, np.uint8)
