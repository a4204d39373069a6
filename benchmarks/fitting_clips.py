"""Synthetic clips with ground truth: faces of ICT-FaceKit's full basis that the fit's 50/25 modes lack."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from rendering.arrays import Array
from rendering.camera import Camera
from rendering.face_model import FaceModel
from rendering.landmarks.face_mesh_points import LEFT_BROW, LIPS_OUTER, RIGHT_BROW
from rendering.normals import vertex_normals
from rendering.polygon import inside_polygon
from rendering.relighting.shading import render_image

SIDE_PX = 512
FRAMES = 60
IDENTITY_SIGMA = 0.8
TO_MODEL = np.array([1.0, -1.0, -1.0], np.float32)
"""ICT's axes (y up, z out of the face) -> ours."""
FACE_VERTICES = 9409
"""Face skin comes first in ICT's mesh; the vertices named below follow."""
PART_COLORS = {
    (11248, 13295): (0.3, 0.1, 0.1),  # mouth socket
    (13295, 14061): (0.6, 0.4, 0.35),  # eye sockets
    (14061, 17039): (0.6, 0.3, 0.3),  # gums and tongue
    (17039, 21451): (0.9, 0.88, 0.8),  # teeth
}
EYEBALLS = ((21451, 23021), (23021, 24591))
LAST_VERTEX = 24591
"""Tears, lashes and other see-through parts come after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FullFace:
    """ICT-FaceKit with all of its modes, in our axes."""

    mean: Array
    triangles: Array
    identity: Array
    expression: Array
    names: list[str]

    @classmethod
    def load(cls, path: Path) -> FullFace:
        """Read the array file."""
        with np.load(path, allow_pickle=False) as file:
            triangles = file["triangles"]
            return cls(
                mean=file["neutral"] * TO_MODEL,
                triangles=triangles[(triangles < LAST_VERTEX).all(axis=1)].astype(np.int32),
                identity=file["identity_basis"].astype(np.float32) * TO_MODEL,
                expression=file["expression_basis"].astype(np.float32) * TO_MODEL,
                names=[str(name) for name in file["expression_names"]],
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticClip:
    """Pictures and the truth behind them."""

    frames: NDArray[np.uint8]
    """(N, 512, 512, 3)."""
    vertices_m: NDArray[np.float32]
    """Face skin in camera space, (N, 9409, 3)."""
    camera: Camera


def make_clip(face: FullFace, model: FaceModel, seed: int) -> SyntheticClip:
    """One person who talks, blinks and turns the head under a lamp; the same seed gives the same clip."""
    random = np.random.default_rng(seed)
    neutral = face.mean + np.tensordot(random.normal(size=100) * IDENTITY_SIGMA, face.identity, axes=1)
    camera = Camera.centered(random.uniform(1.7, 3.0) * SIDE_PX, SIDE_PX, SIDE_PX)
    weights = _expressions(face.names, random)
    turns, shifts = _motion(camera, random)
    albedo = _albedo(face, model, random)
    lamps = [_direction(random, frontal) for frontal in (1.0, 0.0)]
    background = _background(random)
    frames = np.empty((FRAMES, SIDE_PX, SIDE_PX, 3), np.uint8)
    vertices = np.empty((FRAMES, FACE_VERTICES, 3), np.float32)
    for frame in range(FRAMES):
        head = neutral + np.tensordot(weights[frame], face.expression, axes=1)
        posed = (head @ turns[frame].T + shifts[frame]).astype(np.float32)
        normals = vertex_normals(posed[None], face.triangles)[0]
        light = 0.5 + 0.5 * np.maximum(normals @ lamps[0], 0) + 0.15 * np.maximum(normals @ lamps[1], 0)
        colors = (albedo * light[:, None]).astype(np.float32)
        picture = render_image(posed, face.triangles, camera, colors=colors, background=background)
        noisy = picture + random.normal(size=picture.shape) * 0.008
        frames[frame] = (255 * np.clip(noisy, 0, 1)).astype(np.uint8)
        vertices[frame] = posed[:FACE_VERTICES]
    return SyntheticClip(frames=frames, vertices_m=vertices, camera=camera)


def _wave(random: np.random.Generator, period: float, amplitude: float) -> Array:
    """A smooth curve over the frames."""
    time = np.arange(FRAMES)
    waves = [
        np.sin(2 * np.pi * time / (period * random.uniform(0.7, 1.6)) + random.uniform(0, 2 * np.pi))
        for _ in range(3)
    ]
    return np.asarray(amplitude * np.sum(waves, axis=0) / 2)


def _expressions(names: list[str], random: np.random.Generator) -> Array:
    """Ten random blend shapes, a talking jaw and two blinks: (N, 53)."""
    weights = np.zeros((FRAMES, len(names)))
    for mode in random.choice(len(names), 10, replace=False):
        weights[:, mode] = np.clip(_wave(random, 40, 0.5), 0, 1)
    weights[:, names.index("jawOpen")] = np.clip(_wave(random, 12, 0.25) + 0.1, 0, 0.7)
    for middle in random.choice(FRAMES - 10, 2, replace=False) + 5:
        blink = np.exp(-0.5 * ((np.arange(FRAMES) - middle) / 1.8) ** 2)
        for name in ("eyeBlink_L", "eyeBlink_R"):
            weights[:, names.index(name)] = np.maximum(weights[:, names.index(name)], blink)
    return weights


def _motion(camera: Camera, random: np.random.Generator) -> tuple[Array, Array]:
    """Head turns over yaw +-25, pitch -12 to 10 and roll +-8 degrees, and positions: (N, 3, 3), (N, 3) m."""
    ranges = ((60, -8, 8), (50, -25, 25), (45, -12, 10))
    roll_yaw_pitch = np.stack([_sweep(random, *one) for one in ranges], axis=1)
    turns = Rotation.from_euler("ZYX", roll_yaw_pitch, degrees=True).as_matrix()
    face_width = random.uniform(0.40, 0.46)  # of the picture; 0.15 m of face
    distance = camera.focal_x_px * 0.15 / (face_width * SIDE_PX)
    shifts = [_wave(random, 50, 0.006), _wave(random, 50, 0.005), distance + _wave(random, 60, 0.008)]
    return turns, np.stack(shifts, axis=1)


def _sweep(random: np.random.Generator, period: float, low: float, high: float) -> Array:
    """A smooth curve that spans a range."""
    wave = _wave(random, period, 1.0)
    return low + (high - low) * (wave - wave.min()) / (wave.max() - wave.min())


def _albedo(face: FullFace, model: FaceModel, random: np.random.Generator) -> Array:
    """Blotchy skin, lips, brows, eyes and teeth: (V, 3)."""
    mean = face.mean
    colors = np.tile(np.array([0.78, 0.58, 0.48]) * random.uniform(0.75, 1.05), (len(mean), 1))
    noise = random.normal(size=len(mean)) * 0.03
    for length_m in (0.04, 0.015, 0.006):
        for _ in range(12):
            wave = random.normal(size=3)
            wave *= 2 * np.pi / length_m / np.linalg.norm(wave)
            noise += 0.03 * np.sin(mean @ wave + random.uniform(0, 2 * np.pi)) / np.sqrt(6)
    colors *= (1 + noise)[:, None]
    points = model.landmark_points(model.mean[None])[0]
    front = np.flatnonzero((np.arange(len(mean)) < FACE_VERTICES) & (mean[:, 2] < -0.03))
    for ring, color in ((LIPS_OUTER, (0.95, 0.6, 0.6)), (RIGHT_BROW, (0.4,) * 3), (LEFT_BROW, (0.4,) * 3)):
        colors[front[inside_polygon(mean[front, :2], points[list(ring), :2])]] *= color
    for (first, last), color in PART_COLORS.items():
        colors[first:last] = color
    for first, last in EYEBALLS:
        ball = mean[first:last]
        gap = np.linalg.norm(ball - ball[np.argmin(ball[:, 2])], axis=1)[:, None]
        colors[first:last] = np.where(gap < 0.0026, 0.03, np.where(gap < 0.006, (0.25, 0.17, 0.1), 0.92))
    return np.clip(colors, 0.02, 1)


def _direction(random: np.random.Generator, frontal: float) -> Array:
    """A lamp's direction; frontal lamps shine from the camera's side."""
    direction = random.normal(size=3)
    if frontal:
        direction[2] = -abs(direction[2]) - frontal
    return np.asarray(direction / np.linalg.norm(direction))


def _background(random: np.random.Generator) -> NDArray[np.float32]:
    blurred = cv2.GaussianBlur(random.uniform(0, 1, (SIDE_PX, SIDE_PX, 3)).astype(np.float32), (0, 0), 25)
    spread = (blurred - blurred.min()) / (blurred.max() - blurred.min())
    return np.asarray(0.1 + 0.6 * spread, dtype=np.float32)
