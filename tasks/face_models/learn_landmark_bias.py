"""Learn what the landmark detector adds to a face model's landmarks, from the model's own renders."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rendering.arrays import Array, Float32
from rendering.detector_bias import REACH, learn_bias
from rendering.face_model import EXPRESSION_MODES, IDENTITY_MODES, FaceModel
from rendering.landmarks.views import view_camera
from tasks.face_models.embed_landmarks import Detect, PaintedHead

VIEWS = 600
"""Renders, each of another identity, expression and pose."""
IDENTITY_SIGMA = 0.8
EXPRESSION_SIGMA = 0.5
DISTANCES_M = (0.45, 1.4)
"""Of the camera, evenly in the logarithm; the face stays as large in the picture."""
SEED = 5
RIGHT_EYE_CORNER, LEFT_EYE_CORNER = 33, 263


def landmark_bias(
    face_model: FaceModel, head: PaintedHead, *, detect: Detect, views: int = VIEWS
) -> Float32 | None:
    """The detector's bias on this face model, (TERMS, 478, 2) (rendering/detector_bias.py).

    Args:
        face_model: with its landmarks embedded.
        head: how it is shown to the detector.
        detect: the landmark detector.
        views: renders.

    Returns:
        None where the detector finds too few faces, or not both outer eye corners are embedded.
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
    """Landmark offsets of a random view (478, 2) in eye distances, its direction (3,), rotation (3, 3)."""
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
