"""Learn the bias of the landmark detector on a face model from renders of the model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rendering.arrays import Array, Float32
from rendering.detector_bias import REACH, learn_bias
from rendering.face_model import EXPRESSION_MODES, IDENTITY_MODES, FaceModel
from rendering.landmarks.views import view_camera
from tasks.face_models.embed_landmarks import Detect, PaintedHead

VIEWS = 600
"""Number of renders, each with another identity, expression and pose."""
IDENTITY_SIGMA = 0.8
EXPRESSION_SIGMA = 0.5
DISTANCES_M = (0.45, 1.4)
"""Range of camera distances, m, drawn evenly in the logarithm; the face keeps its size in the picture."""
SEED = 5
RIGHT_EYE_CORNER, LEFT_EYE_CORNER = 33, 263


def landmark_bias(
    face_model: FaceModel, head: PaintedHead, *, detect: Detect, views: int = VIEWS
) -> Float32 | None:
    """Learn the bias of the detector on a face model, (TERMS, 478, 2) (rendering/detector_bias.py).

    Args:
        face_model: face model with embedded landmarks.
        head: the model as it is shown to the detector.
        detect: the landmark detector.
        views: number of renders.

    Returns:
        The bias; None if the detector finds too few faces, or if an outer eye corner is not embedded.
    """
    if min(face_model.landmark_triangles[[RIGHT_EYE_CORNER, LEFT_EYE_CORNER]]) < 0:
        return None
    random = np.random.default_rng(SEED)
    observed = [_observe(face_model, head, random, detect) for _ in range(views)]
    found = [one for one in observed if one is not None]
    if len(found) < views / 2:
        return None
    offsets, directions, rotations = (np.stack(part) for part in zip(*found, strict=True))
    return learn_bias(offsets, directions, rotations)


def _observe(
    face_model: FaceModel, head: PaintedHead, random: np.random.Generator, detect: Detect
) -> tuple[Array, Array, Array] | None:
    """Return the landmark offsets (478, 2) of a random view in eye distances, its direction and rotation."""
    identity = (IDENTITY_SIGMA * random.standard_normal(IDENTITY_MODES)).astype(np.float32)
    expression = (EXPRESSION_SIGMA * random.standard_normal((1, EXPRESSION_MODES))).astype(np.float32)
    yaw, pitch = (np.degrees(np.arcsin(random.uniform(-reach, reach))) for reach in REACH)
    distance_m = float(np.exp(random.uniform(*np.log(DISTANCES_M))))
    vertices = face_model.vertices(identity, expression)[0]
    view, posed = head.view(vertices, yaw_deg=yaw, pitch_deg=pitch, distance_m=distance_m)
    landmarks = detect(view.image)
    if landmarks is None:
        return None
    points = face_model.landmark_points(posed[None])[0].astype(np.float64)
    rotation, origin = _placed(vertices.astype(np.float64), posed.astype(np.float64))
    eyes = np.linalg.norm(points[RIGHT_EYE_CORNER] - points[LEFT_EYE_CORNER])
    camera = view_camera(distance_m)
    unit_px = eyes * camera.focal_x_px / origin[2]
    toward = rotation.T @ -origin
    return (landmarks - camera.project(points)) / unit_px, toward / np.linalg.norm(toward), rotation


def _placed(
    vertices: NDArray[np.float64], posed: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rotation (3, 3) and translation (3,) m that take head-space vertices to camera space."""
    middle, posed_middle = vertices.mean(axis=0), posed.mean(axis=0)
    rotation = np.linalg.lstsq(vertices - middle, posed - posed_middle, rcond=None)[0].T
    return rotation, posed_middle - rotation @ middle
