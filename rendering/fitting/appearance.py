"""Lighting, albedo and exposure of a clip, in closed form from sampled brightness."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rendering.arrays import Float32, Float64

ALBEDO_PRIOR = 0.1
"""Prior of each sample's albedo, in full observations of the mean: one that is hardly visible keeps the mean.
With three observations some of the skin's pattern stayed in the residuals, and yaw shrank by 5 %."""
LEAST_SHADING = 1e-3
"""Shading is kept above this: light estimated in harmonics can come out negative."""
NO_SAMPLES = 1e-6
"""Added to both sums of a gain, so that a frame without visible samples gets 1 instead of 0 / 0."""
LIGHT_RIDGE = np.array([0.0] + [1e-3] * 3 + [3e-3] * 5)
"""Relative ridge weights of the harmonics: they keep directional light small where normals do not separate it
from albedo."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Appearance:
    """The model of the skin's brightness: gain_t albedo_v (Y(n_v) . light)."""

    light: Float64
    """Spherical harmonics in camera axes (relighting/shading.py), in units of the mean skin, (9,)."""
    albedo: Float64
    """Albedo of each sample relative to the mean skin, (K,)."""
    gain: Float64
    """Exposure of each frame relative to the clip's, (N,)."""


def estimate_light(
    brightness: Float32, harmonics: Float32, weight: Float32, *, alternations: int
) -> tuple[Float64, Float64]:
    """Estimate light, albedo and gain on some frames by alternating least squares.

    Args:
        brightness: (n, K) 0..1, finite.
        harmonics: Y(n), (n, K, 9).
        weight: (n, K), 0 = not visible.
        alternations: rounds of light, albedo and gain.

    Returns:
        Light (9,) and gain (n,).
    """
    gain, albedo, light = np.ones(len(brightness)), np.ones(brightness.shape[1]), np.zeros(9)
    for _ in range(alternations):
        # Brightness is linear in each of light, albedo and gain while the other two are held.
        scale = (albedo * gain[:, None]).astype(np.float32)
        light = _solve_light(brightness, harmonics * scale[:, :, None], weight)
        shading = np.maximum(harmonics @ light.astype(np.float32), LEAST_SHADING)
        albedo = _albedo(brightness, gain[:, None] * shading, weight)
        gain = _gain(brightness, albedo * shading, weight)
    return light, gain


def estimate_albedo(brightness: Float32, shading: Float32, weight: Float32, *, light: Float64) -> Appearance:
    """Albedo and exposure over all frames, given the shading (N, K) that the light causes."""
    # Twice, because the first gain does not know the albedo yet.
    gain = _gain(brightness, shading, weight)
    albedo = _albedo(brightness, gain[:, None] * shading, weight)
    gain = _gain(brightness, albedo * shading, weight)
    return Appearance(light=light, albedo=albedo, gain=gain)


def _albedo(brightness: Float32, expected: Float64 | Float32, weight: Float32) -> Float64:
    # Least squares of one factor for each sample, with a prior that pulls it to 1. Albedo, gain and light
    # share a factor: the mean is fixed at 1.
    prior = ALBEDO_PRIOR * float(np.mean(expected**2))
    seen = (weight * expected * brightness).sum(axis=0, dtype=np.float64) + prior
    albedo = seen / ((weight * expected**2).sum(axis=0, dtype=np.float64) + prior)
    return np.asarray(albedo / albedo.mean())


def _gain(brightness: Float32, expected: Float64 | Float32, weight: Float32) -> Float64:
    seen = (weight * expected * brightness).sum(axis=1, dtype=np.float64) + NO_SAMPLES
    gain = seen / ((weight * expected**2).sum(axis=1, dtype=np.float64) + NO_SAMPLES)
    return np.asarray(gain / gain.mean())


def _solve_light(brightness: Float32, rows: Float32, weight: Float32) -> Float64:
    flat = rows.reshape(-1, 9)
    weighted = flat * weight.reshape(-1, 1)
    normal = (weighted.T @ flat).astype(np.float64)
    # Relative to the mean diagonal, so that the ridge does not depend on the number of samples.
    ridge = np.trace(normal) / 9 * np.diag(LIGHT_RIDGE)
    return np.linalg.solve(normal + ridge, (weighted.T @ brightness.reshape(-1)).astype(np.float64))
