"""Lighting, albedo and exposure of a clip, in closed form from sampled brightness."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rendering.fitting.parameters import Float32, Float64

ALBEDO_PRIOR = 0.1
"""Full observations of mean albedo that each sample starts with: one never seen keeps the skin's mean. With
three of them some of the skin's pattern stayed in the residuals and pose gave way: yaw shrank by 5 %."""
LIGHT_RIDGE = np.array([0.0] + [1e-3] * 3 + [3e-3] * 5)
"""Relative weight that holds directional light small where the normals do not tell it from albedo."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Appearance:
    """What explains the brightness of the skin: gain_t albedo_v (Y(n_v) . light)."""

    light: Float64
    """(9,): spherical harmonics in camera axes (relighting/shading.py), in units of the mean skin."""
    albedo: Float64
    """(K,), relative to the mean skin."""
    gain: Float64
    """(N,): exposure of each frame relative to the clip's."""


def estimate_light(
    brightness: Float32, harmonics: Float32, weight: Float32, *, alternations: int
) -> tuple[Float64, Float64]:
    """Alternate least squares for light, albedo and gain on some frames.

    Args:
        brightness: (n, K) 0..1, finite.
        harmonics: Y(n), (n, K, 9).
        weight: (n, K), 0 = not seen.
        alternations: rounds.

    Returns:
        light (9,) and gain (n,).
    """
    gain, albedo, light = np.ones(len(brightness)), np.ones(brightness.shape[1]), np.zeros(9)
    for _ in range(alternations):
        scale = (albedo * gain[:, None]).astype(np.float32)
        light = _solve_light(brightness, harmonics * scale[:, :, None], weight)
        shading = np.maximum(harmonics @ light.astype(np.float32), 1e-3)
        albedo = _albedo(brightness, gain[:, None] * shading, weight)
        gain = _gain(brightness, albedo * shading, weight)
    return light, gain


def estimate_albedo(brightness: Float32, shading: Float32, weight: Float32, *, light: Float64) -> Appearance:
    """Albedo and exposure over all frames, given the shading (N, K) of the light."""
    gain = _gain(brightness, shading, weight)
    albedo = _albedo(brightness, gain[:, None] * shading, weight)
    gain = _gain(brightness, albedo * shading, weight)
    return Appearance(light=light, albedo=albedo, gain=gain)


def _albedo(brightness: Float32, expected: Float64 | Float32, weight: Float32) -> Float64:
    prior = ALBEDO_PRIOR * float(np.mean(expected**2))
    seen = (weight * expected * brightness).sum(axis=0, dtype=np.float64) + prior
    albedo = seen / ((weight * expected**2).sum(axis=0, dtype=np.float64) + prior)
    return np.asarray(albedo / albedo.mean())


def _gain(brightness: Float32, expected: Float64 | Float32, weight: Float32) -> Float64:
    seen = (weight * expected * brightness).sum(axis=1, dtype=np.float64) + 1e-6
    gain = seen / ((weight * expected**2).sum(axis=1, dtype=np.float64) + 1e-6)
    return np.asarray(gain / gain.mean())


def _solve_light(brightness: Float32, rows: Float32, weight: Float32) -> Float64:
    flat = rows.reshape(-1, 9)
    weighted = flat * weight.reshape(-1, 1)
    normal = (weighted.T @ flat).astype(np.float64)
    ridge = np.trace(normal) / 9 * np.diag(LIGHT_RIDGE)
    return np.linalg.solve(normal + ridge, (weighted.T @ brightness.reshape(-1)).astype(np.float64))
