"""The closed-form start: each frame's pose from the detector's relative 3D landmarks."""

from __future__ import annotations

import numpy as np

from rendering.fitting.landmark_terms import LandmarkModel
from rendering.fitting.parameters import Float64, Parameters
from rendering.fitting.rotations import rotation_vector


def _similarity(source: Float64, target: Float64) -> tuple[float, Float64, Float64]:
    """Umeyama 1991: scale, rotation and shift with target = scale * rotation @ source + shift."""
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    centered = source - source_mean
    u, singular, vt = np.linalg.svd((target - target_mean).T @ centered)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = (u * sign) @ vt
    scale = float((singular * sign).sum() / (centered**2).sum())
    return scale, rotation, target_mean - scale * rotation @ source_mean


def start_parameters(
    model: LandmarkModel,
    points: Float64,
    *,
    focal_px: float,
    center: tuple[float, float],
    identity_modes: int,
) -> Parameters:
    """Mean face, no expression; pose by similarity to the landmarks.

    Args:
        model: landmarks of the face model.
        points: detected x, y and relative z, (N, L, 3) px.
        focal_px: focal length, crop px.
        center: principal point, crop px.
        identity_modes: how many.
    """
    rotation = np.empty((len(points), 3))
    position = np.empty((len(points), 3))
    for frame, target in enumerate(points):
        scale, matrix, shift = _similarity(model.mean, target)
        rotation[frame] = rotation_vector(matrix)
        # weak perspective: scale = focal / z
        position[frame, :2] = (shift[:2] - center) / focal_px
        position[frame, 2] = np.log(focal_px / scale)
    return Parameters(
        identity=np.zeros(identity_modes),
        expression=np.zeros((len(points), model.expression_modes)),
        rotation=rotation,
        position=position,
        log_focal=float(np.log(focal_px)),
    )
