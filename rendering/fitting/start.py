"""The closed-form start of the fit: each frame's pose from the detector's relative 3D landmarks."""

from __future__ import annotations

import numpy as np

from rendering.arrays import Float32, Float64
from rendering.camera import Camera
from rendering.fitting.landmark_model import LandmarkModel
from rendering.fitting.parameters import Parameters
from rendering.fitting.rotations import rotation_vector

MOST_MISFIT = 3.0
"""A frame is not used if its landmarks fit a face this many times worse than the median frame's."""
MOST_LOG_DISTANCE = 0.4
"""A frame is not used if the logarithm of its distance differs from the median by more than this."""


def _similarity(source: Float64, target: Float64) -> tuple[float, Float64, Float64]:
    """Similarity of least squares (Umeyama 1991): target = scale * rotation @ source + shift."""
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    centered = source - source_mean
    u, singular, vt = np.linalg.svd((target - target_mean).T @ centered)
    # A rotation must not mirror: the smallest singular direction takes the sign.
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = (u * sign) @ vt
    scale = float((singular * sign).sum() / (centered**2).sum())
    return scale, rotation, target_mean - scale * rotation @ source_mean


def start_parameters(
    model: LandmarkModel,
    landmarks: Float32,
    presence: Float32,
    *,
    camera: Camera,
    identity_modes: int,
) -> Parameters:
    """The mean face without expression, posed by a similarity to the landmarks of each frame.

    Frames without usable landmarks take a pose between their neighbours'.

    Args:
        model: landmarks of the face model.
        landmarks: detected x, y and relative z, (N, 478, 3) px; nothing else uses z.
        presence: 0 where a frame's landmarks are not to be used, (N,).
        camera: camera of the picture.
        identity_modes: number of identity modes, S.
    """
    points = landmarks[:, model.ids].astype(np.float64)
    center, focal_px = (camera.center_x_px, camera.center_y_px), camera.focal_x_px
    pose = np.empty((len(points), 6))
    misfit = np.empty(len(points))
    for frame, target in enumerate(points):
        scale, matrix, shift = _similarity(model.moving.mean, target)
        pose[frame, :3] = rotation_vector(matrix)
        # weak perspective: scale = focal / z
        pose[frame, 3:5] = (shift[:2] - center) / focal_px
        pose[frame, 5] = np.log(focal_px / scale)
        misfit[frame] = np.std(target - scale * model.moving.mean @ matrix.T - shift) / scale
    wild = (presence == 0) | (misfit > MOST_MISFIT * np.median(misfit))
    wild |= np.abs(pose[:, 5] - np.median(pose[:, 5])) > MOST_LOG_DISTANCE
    good = np.flatnonzero(~wild)
    for column in range(6 if len(good) else 0):
        pose[wild, column] = np.interp(np.flatnonzero(wild), good, pose[good, column])
    return Parameters(
        identity=np.zeros(identity_modes),
        expression=np.zeros((len(points), model.moving.expression_modes)),
        rotation=pose[:, :3].copy(),
        position=pose[:, 3:].copy(),
        log_focal=float(np.log(focal_px)),
    )
