"""The jaw line term: detected contour landmarks against the silhouette of the mesh in each frame.

A contour landmark does not mark one point of the skin: it slides along the outline as the head turns. In
every iteration it is therefore matched anew with the mesh vertex that reaches furthest out in its direction,
and only the distance across the outline counts:

    r = (project(x_v) - m) . d     d: unit vector from the face's middle to the landmark m
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rendering.arrays import Float32, Float64
from rendering.compiled import compiled
from rendering.face_model import FaceModel
from rendering.fitting.chain_rule import fill_line
from rendering.fitting.moving_points import MovingPoints, moving_points
from rendering.fitting.parameters import Parameters, chunks
from rendering.fitting.rotations import right_jacobian, rotation_matrix
from rendering.landmarks.face_mesh_points import JAW

WEDGE_DEG = 7.0
"""Candidates of a landmark lie within this angle of its direction from the middle of the mean face."""
INNERMOST = 0.55
"""Candidates of a landmark lie at least this far from the middle, as a part of the landmark's distance."""
MOST_FACING = 0.6
"""Largest cosine between normal and view of an outline vertex: a larger one is an edge of the mesh."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContourModel:
    """Candidate vertices of each jaw landmark."""

    ids: NDArray[np.int32]
    """MediaPipe ids, (J,)."""
    first: NDArray[np.int64]
    """Landmark j has the candidates first[j] to first[j + 1] - 1, (J + 1,)."""
    moving: MovingPoints
    """The C candidates of all landmarks."""
    normals: Float64
    """Normals of the mean face at the candidates, (C, 3)."""
    middle: Float64
    """The middle of the mean face, (3,) m."""


def contour_model(face_model: FaceModel, normals: Float32) -> ContourModel:
    """Find the candidates on the mean face seen from the front, given its vertex normals (V, 3)."""
    points = face_model.landmark_points(face_model.mean[None])[0]
    ids = np.array([landmark for landmark in JAW if np.isfinite(points[landmark, 0])], dtype=np.int32)
    skin = np.unique(face_model.triangles[face_model.skin_triangles])
    middle = np.median(face_model.mean[skin], axis=0).astype(np.float64)
    offset = face_model.mean[skin, :2] - middle[:2]
    radius, angle = np.hypot(*offset.T), np.arctan2(offset[:, 1], offset[:, 0])
    candidates = []
    for landmark in ids:
        away = points[landmark, :2] - middle[:2]
        # Angle between candidate and landmark, wrapped to -pi .. pi.
        turn = np.angle(np.exp(1j * (angle - np.arctan2(away[1], away[0]))))
        near = (np.abs(turn) < np.radians(WEDGE_DEG)) & (radius > INNERMOST * np.hypot(*away))
        candidates.append(skin[near])
    chosen = np.concatenate([*candidates, np.zeros(0, np.int64)]).astype(np.int64)
    return ContourModel(
        ids=ids,
        first=np.concatenate([[0], np.cumsum([len(found) for found in candidates])]).astype(np.int64),
        moving=moving_points(
            face_model.mean[chosen],
            face_model.expression_basis[:, chosen],
            face_model.identity_basis[:, chosen],
        ),
        normals=normals[chosen].astype(np.float64),
        middle=middle,
    )


@compiled
def _outermost(
    points: Float64, rotation: Float64, origin: Float64, first: int, last: int, direction: Float64
) -> int:
    """The candidate that reaches furthest in a direction of the image, -1 without candidates.

    Args:
        points: head-space candidates, (C, 3) m.
        rotation: R, (3, 3).
        origin: origin of the head in camera space, (3,) m.
        first: the landmark's first candidate.
        last: the one behind its last candidate.
        direction: unit vector in the image, (2,).
    """
    # pixels . d = focal * (a . p + a0) / (b . p + b0), with a = R' (d, 0) and b = R' (0, 0, 1)
    ax = direction[0] * rotation[0, 0] + direction[1] * rotation[1, 0]
    ay = direction[0] * rotation[0, 1] + direction[1] * rotation[1, 1]
    az = direction[0] * rotation[0, 2] + direction[1] * rotation[1, 2]
    a0 = direction[0] * origin[0] + direction[1] * origin[1]
    bx, by, bz, b0 = rotation[2, 0], rotation[2, 1], rotation[2, 2], origin[2]
    best, reach = -1, -1e30
    for candidate in range(first, last):
        x, y, z = points[candidate]
        out = (ax * x + ay * y + az * z + a0) / (bx * x + by * y + bz * z + b0)
        if out > reach:
            reach, best = out, candidate
    return best


@compiled
def _away(target: Float64, middle: Float64) -> Float64:
    """The unit vector from one pixel to another."""
    x, y = target[0] - middle[0], target[1] - middle[1]
    length = max(np.sqrt(x * x + y * y), 1e-9)
    return np.array([x / length, y / length])


# The types of the kernel's inputs stand beside it: numba's cache on disk notices changes of this file only.
class _Candidates(NamedTuple):
    """The vertices that may form the outline, on the heads of n frames."""

    points: Float64
    """Head space, (n, C, 3) m."""
    normals: Float64
    """(C, 3)."""
    lines: Float32
    """MovingPoints.lines, (C, 3, D + 1)."""
    first: NDArray[np.int64]
    """ContourModel.first, (J + 1,)."""
    middle: Float64
    """(3,) m."""


class _ContourFrames(NamedTuple):
    """Pose and detected jaw line of n frames."""

    rotation: Float64
    """Rotation vectors, (n, 3)."""
    position: Float64
    """x/z, y/z, log z, (n, 3)."""
    targets: Float64
    """(n, J, 2) px."""
    presence: Float64
    """(n,)."""


class _ContourNoise(NamedTuple):
    """How much a residual counts."""

    share: float
    """Weight of each landmark before robust weighting."""
    robust_scale: float
    """In standard deviations."""
    precision: float
    """1 / standard deviation of a residual, 1 / px."""


@compiled
def _fill_rows(
    candidates: _Candidates, frames: _ContourFrames, noise: _ContourNoise, view: Float64, expression: int
) -> Float32:
    """Weighted rows of J of every frame, the residual last: (n, J, D + 1).

    Args:
        candidates: the vertices that may form the outline.
        frames: where to linearise, and what was detected.
        noise: how much a residual counts.
        view: focal length and principal point, px.
        expression: E.
    """
    focal, center_x, center_y = view
    count = frames.targets.shape[1]
    rows = np.zeros((len(frames.targets), count, candidates.lines.shape[2]), np.float32)
    for frame in range(len(rows)):
        points, position = candidates.points[frame], frames.position[frame]
        rotation = rotation_matrix(frames.rotation[frame])
        spin = rotation @ right_jacobian(frames.rotation[frame])
        depth = np.exp(position[2])
        origin = depth * np.array([position[0], position[1], 1.0])
        placed = rotation @ candidates.middle + origin
        middle_px = focal * placed[:2] / placed[2] + np.array([center_x, center_y])
        for j in range(count):
            target = frames.targets[frame, j]
            d = _away(target, middle_px)
            best = _outermost(points, rotation, origin, candidates.first[j], candidates.first[j + 1], d)
            if best < 0:
                continue
            turned = rotation @ points[best]
            point = turned + origin
            normal = rotation @ candidates.normals[best]
            facing = abs(np.sum(normal * point)) / np.sqrt(np.sum(point * point))
            if facing > MOST_FACING:
                continue
            error = (focal * point[0] / point[2] + center_x - target[0]) * d[0]
            error += (focal * point[1] / point[2] + center_y - target[1]) * d[1]
            # Cauchy weight 1 / (1 + (r / c)^2) of a residual r in units of the scale c
            square = (error * noise.precision / noise.robust_scale) ** 2
            root = np.sqrt(noise.share * frames.presence[frame] / (1.0 + square)) * noise.precision
            dx, dy = root * d[0] * focal / point[2], root * d[1] * focal / point[2]
            dz = -(dx * point[0] + dy * point[1]) / point[2]
            line = rows[frame, j]
            basis = candidates.lines[best]
            fill_line(line, (dx, dy, dz), turned, rotation, spin, origin, basis, expression)
            line[-1] = root * error
    return rows


def contour_rows(
    model: ContourModel,
    parameters: Parameters,
    *,
    targets: Float64,
    presence: Float64,
    center: tuple[float, float],
    sigma_px: float,
    robust_scale: float,
    share: float,
) -> Float32:
    """Weighted rows of the jaw line's Jacobian with the residual last, (N, J, D + 1).

    Args:
        model: candidates of each jaw landmark.
        parameters: where to linearise.
        targets: detected jaw landmarks, (N, J, 2) px.
        presence: weight of each frame, (N,).
        center: principal point, px.
        sigma_px: standard deviation of a residual.
        robust_scale: residuals beyond this many standard deviations lose weight (Cauchy).
        share: weight of each landmark.
    """
    rows = np.empty((*targets.shape[:2], model.moving.lines.shape[2]), np.float32)
    for part in chunks(len(targets)):
        some = parameters.frames(part)
        rows[part] = _fill_rows(
            _Candidates(
                points=model.moving.points(some.identity, some.expression),
                normals=model.normals,
                lines=model.moving.lines,
                first=model.first,
                middle=model.middle,
            ),
            _ContourFrames(
                rotation=some.rotation,
                position=some.position,
                targets=targets[part],
                presence=presence[part],
            ),
            _ContourNoise(share=share, robust_scale=robust_scale, precision=1 / sigma_px),
            np.array([np.exp(some.log_focal), *center]),
            model.moving.expression_modes,
        )
    return rows
