"""A small smooth face model with all 468 landmarks, and clips that it makes itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rendering.camera import Camera
from rendering.face_model import EXPRESSION_MODES, IDENTITY_MODES, FaceModel
from rendering.fitting.moving_points import MovingPoints
from rendering.fitting.parameters import Parameters
from rendering.fitting.rotations import rotation_matrices
from rendering.landmarks.face_mesh_points import (
    FACE_OVAL,
    LEFT_BROW,
    LEFT_EYE,
    LIPS_INNER,
    LIPS_OUTER,
    RIGHT_BROW,
    RIGHT_EYE,
)

CAMERA = Camera.centered(900.0, 512, 512)
SIDE = 33
"""Vertices along each side of the face's grid."""
RINGS = {
    RIGHT_EYE: (-0.032, -0.02, 0.014, 0.006),
    LEFT_EYE: (0.032, -0.02, 0.014, 0.006),
    RIGHT_BROW: (-0.032, -0.042, 0.016, 0.004),
    LEFT_BROW: (0.032, -0.042, 0.016, 0.004),
    LIPS_OUTER: (0.0, 0.04, 0.024, 0.011),
    LIPS_INNER: (0.0, 0.04, 0.018, 0.004),
    FACE_OVAL: (0.0, 0.0, 0.062, 0.08),
}
"""Center and half axes, metres, of the landmarks' rings."""


def toy_face_model() -> FaceModel:
    """Half an ellipsoid with a nose; modes are smooth waves over it."""
    x, y = np.meshgrid(np.linspace(-0.07, 0.07, SIDE), np.linspace(-0.09, 0.09, SIDE))
    bulge = 0.07 * np.sqrt(np.maximum(0.02, 1.05 - (x / 0.08) ** 2 - (y / 0.1) ** 2))
    nose = 0.022 * np.exp(-((x / 0.011) ** 2) - ((y - 0.008) / 0.02) ** 2)
    mean = np.stack([x, y, -bulge - nose], axis=-1).reshape(-1, 3)
    cells = np.arange(SIDE * SIDE).reshape(SIDE, SIDE)
    a, b, c, d = cells[:-1, :-1], cells[:-1, 1:], cells[1:, :-1], cells[1:, 1:]
    corners = np.concatenate([np.stack(t, axis=-1).reshape(-1, 3) for t in ((a, b, c), (b, d, c))])
    # counter-clockwise from outside is clockwise in axes with y down, seen along +z
    landmark_triangles, barycentrics = _embed(mean, corners, _landmark_places())
    return FaceModel(
        mean=mean.astype(np.float32),
        triangles=corners.astype(np.int32)[:, [0, 2, 1]],
        identity_basis=_waves(mean, IDENTITY_MODES, seed=1, amplitude_m=0.0022),
        expression_basis=_waves(mean, EXPRESSION_MODES, seed=2, amplitude_m=0.0015),
        skin_triangles=np.arange(len(corners), dtype=np.int32),
        landmark_triangles=landmark_triangles,
        landmark_barycentrics=barycentrics[:, [0, 2, 1]],
        name="toy",
        provenance="made up",
        licence="none",
    )


def _landmark_places() -> NDArray[np.float64]:
    """x, y of the 468 landmarks: rings where they belong, the others in a sunflower spiral."""
    number = np.arange(468)
    angle = number * np.pi * (3 - np.sqrt(5))
    radius = np.sqrt((number + 0.5) / 468)
    places = np.stack([0.05 * radius * np.cos(angle), 0.065 * radius * np.sin(angle)], axis=1)
    for ring, (x, y, width, height) in RINGS.items():
        turn = np.linspace(0, 2 * np.pi, len(ring), endpoint=False)
        places[list(ring)] = np.stack([x + width * np.cos(turn), y + height * np.sin(turn)], axis=1)
    # the outer corners of the eyes are the ends of the fit's unit of length
    places[33], places[263] = (-0.046, -0.02), (0.046, -0.02)
    return places


def _embed(
    mean: NDArray[np.float64], corners: NDArray[np.intp], places: NDArray[np.float64]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    triangles = np.full(478, -1, np.int32)
    barycentrics = np.zeros((478, 3), np.float32)
    flat = mean[corners][:, :, :2]
    edges = np.stack([flat[:, 1] - flat[:, 0], flat[:, 2] - flat[:, 0]], axis=-1)
    inverse = np.linalg.inv(edges)
    for landmark, place in enumerate(places):
        second = np.einsum("tij,tj->ti", inverse, place - flat[:, 0])
        weights = np.concatenate([1 - second.sum(axis=1, keepdims=True), second], axis=1)
        triangles[landmark] = int(weights.min(axis=1).argmax())
        barycentrics[landmark] = weights[triangles[landmark]]
    return triangles, barycentrics


def _waves(mean: NDArray[np.float64], count: int, *, seed: int, amplitude_m: float) -> NDArray[np.float32]:
    """Displacements that are smooth over the face, the later the finer and smaller: (count, V, 3)."""
    random = np.random.default_rng(seed)
    modes = np.empty((count, len(mean), 3))
    for mode in range(count):
        waves = 1.0 + 0.06 * mode
        frequency = random.normal(size=(3, 3)) * waves * np.pi / 0.18
        phase = random.uniform(0, 2 * np.pi, 3)
        direction = random.normal(size=3) / np.sqrt(3)
        modes[mode] = amplitude_m / waves * direction * np.sin(mean @ frequency + phase)
    if count == IDENTITY_MODES:  # how deep the face is: what perspective is confused with
        modes[0] = 0.25 * (mean - mean.mean(axis=0)) * np.array([0.0, 0.0, 1.0])
    return modes.astype(np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToyClip:
    """A clip that the toy model made, and what the detector would see without error."""

    parameters: Parameters
    landmarks: NDArray[np.float32]
    """(N, 478, 3) px."""
    presence: NDArray[np.float32]


def toy_clip(face_model: FaceModel, *, frames: int = 24, yaw_deg: float = 20.0, seed: int = 0) -> ToyClip:
    """Smooth motion of a random identity."""
    random = np.random.default_rng(seed)
    time = np.linspace(0, 2 * np.pi, frames)
    swing = np.radians(yaw_deg) * np.sin(time)
    phases = random.uniform(0, 2 * np.pi, EXPRESSION_MODES)
    position = np.stack([0.02 * np.cos(time), 0.01 * np.sin(time), np.log(0.7) + 0.01 * np.sin(time)], axis=1)
    parameters = Parameters(
        identity=random.normal(size=IDENTITY_MODES),
        expression=0.7 * np.sin(time[:, None] + phases),
        rotation=np.stack([0.4 * swing, swing, 0.3 * swing], axis=1),
        position=position,
        log_focal=float(np.log(CAMERA.focal_x_px)),
    )
    return ToyClip(
        parameters=parameters,
        landmarks=seen_landmarks(face_model, parameters),
        presence=np.ones(frames, np.float32),
    )


def posed_vertices(face_model: FaceModel, parameters: Parameters) -> NDArray[np.float64]:
    """Camera-space vertices, (N, V, 3) m."""
    moved = np.tensordot(parameters.expression, face_model.expression_basis, axes=1)
    head = face_model.mean + np.tensordot(parameters.identity, face_model.identity_basis, axes=1) + moved
    turned = np.einsum("nij,nvj->nvi", rotation_matrices(parameters.rotation), head)
    return turned + parameters.translation_m[:, None]


def seen_landmarks(face_model: FaceModel, parameters: Parameters) -> NDArray[np.float32]:
    """Exact landmarks with the detector's relative depth, (N, 478, 3) px; irises lie at the eyes."""
    points = face_model.landmark_points(posed_vertices(face_model, parameters).astype(np.float32))
    points[:, 468:] = points[:, 33:34]
    origin = parameters.translation_m[:, None, 2]
    relative = (points[..., 2] - origin) * CAMERA.focal_x_px / origin
    return np.concatenate([CAMERA.project(points), relative[..., None]], axis=-1).astype(np.float32)


def head_points(moving: MovingPoints, parameters: Parameters) -> NDArray[np.float64]:
    """Head-space positions in double precision, for finite differences: (N, K, 3) m."""
    moved = parameters.identity @ moving.identity.astype(np.float64)
    moved = moved + parameters.expression @ moving.expression.astype(np.float64)
    return np.asarray(moving.mean + moved.reshape(-1, *moving.mean.shape))
