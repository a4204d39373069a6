"""The jaw line: detected contour landmarks against the silhouette that the mesh has in each frame.

A contour landmark marks no point of the skin, it slides along the outline as the head turns. So it is
matched anew in every iteration with the mesh vertex that reaches furthest out in its direction, and only
the distance across the outline counts:

    r = (project(x_v) - m) . d     d: from the face's middle to the landmark m
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rendering.compiled import compiled
from rendering.face_mesh_points import JAW
from rendering.face_model import FaceModel
from rendering.fitting.chain_rule import basis_lines, fill_line
from rendering.fitting.parameters import Float32, Float64, NormalEquations, Parameters, chunks
from rendering.fitting.rotations import right_jacobian, rotation_matrix

WEDGE_DEG = 7.0
"""Candidates of a landmark lie this close to its direction from the middle of the mean face ..."""
INNERMOST = 0.55
"""... and at least this far out, as a part of its own distance."""
MOST_FACING = 0.6
"""An outline vertex whose normal has a larger cosine to the view is the mesh's edge, not an outline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContourModel:
    """Candidate vertices of each jaw landmark."""

    ids: NDArray[np.int32]
    """MediaPipe ids, (J,)."""
    first: NDArray[np.int64]
    """Landmark j has the candidates first[j] .. first[j + 1], (J + 1,)."""
    mean: Float64
    """(C, 3) m."""
    normals: Float64
    """Of the mean face, (C, 3)."""
    basis: Float32
    """(C, 3, E + S): expression modes, then identity modes."""
    lines: Float32
    """The same as rows of the Jacobian, (C, 3, D + 1)."""
    middle: Float64
    """The middle of the mean face, (3,) m."""


def contour_model(face_model: FaceModel, normals: Float32) -> ContourModel:
    """Find the candidates on the mean face seen from the front; normals of its vertices, (V, 3)."""
    points = face_model.landmark_points(face_model.mean[None])[0]
    ids = np.array([landmark for landmark in JAW if np.isfinite(points[landmark, 0])], dtype=np.int32)
    skin = np.unique(face_model.triangles[face_model.skin_triangles])
    middle = np.median(face_model.mean[skin], axis=0).astype(np.float64)
    offset = face_model.mean[skin, :2] - middle[:2]
    radius, angle = np.hypot(*offset.T), np.arctan2(offset[:, 1], offset[:, 0])
    candidates = []
    for landmark in ids:
        away = points[landmark, :2] - middle[:2]
        turn = np.angle(np.exp(1j * (angle - np.arctan2(away[1], away[0]))))
        near = (np.abs(turn) < np.radians(WEDGE_DEG)) & (radius > INNERMOST * np.hypot(*away))
        candidates.append(skin[near])
    chosen = np.concatenate([*candidates, np.zeros(0, np.int64)]).astype(np.int64)
    modes = np.concatenate([face_model.expression_basis[:, chosen], face_model.identity_basis[:, chosen]])
    basis = np.ascontiguousarray(modes.transpose(1, 2, 0))
    return ContourModel(
        ids=ids,
        first=np.concatenate([[0], np.cumsum([len(found) for found in candidates])]).astype(np.int64),
        mean=face_model.mean[chosen].astype(np.float64),
        normals=normals[chosen].astype(np.float64),
        basis=basis,
        lines=basis_lines(basis, len(face_model.expression_basis)),
        middle=middle,
    )


@compiled
def _outermost(
    pixels: Float64, first: NDArray[np.int64], target: Float64, middle: Float64
) -> tuple[NDArray[np.int64], Float64]:
    """The candidate of each landmark that reaches furthest out, and its direction: (J,), (J, 2)."""
    count = len(target)
    best = np.full(count, -1)
    direction = np.zeros((count, 2))
    for j in range(count):
        dx, dy = target[j, 0] - middle[0], target[j, 1] - middle[1]
        length = max(np.sqrt(dx * dx + dy * dy), 1e-9)
        direction[j, 0], direction[j, 1] = dx / length, dy / length
        reach = -1e30
        for candidate in range(first[j], first[j + 1]):
            out = pixels[candidate, 0] * direction[j, 0] + pixels[candidate, 1] * direction[j, 1]
            if out > reach:
                reach, best[j] = out, candidate
    return best, direction


@compiled
def _fill_rows(
    points: Float64, normals: Float64, middles: Float64, lines: Float32, first: NDArray[np.int64],
    targets: Float64, rotations: Float64, positions: Float64, presence: Float64, noise: Float64,
    view: Float64, expression: int,
) -> Float32:  # fmt: skip
    """Weighted rows of J of every frame, the residual last: (n, J, D + 1)."""
    focal, center_x, center_y = view
    frames, count, _ = targets.shape
    rows = np.zeros((frames, count, lines.shape[2]), np.float32)
    for frame in range(frames):
        rotation = rotation_matrix(rotations[frame])
        spin = rotation @ right_jacobian(rotations[frame])
        depth = np.exp(positions[frame, 2])
        shift = depth * np.array([positions[frame, 0], positions[frame, 1], 1.0])
        placed = points[frame] @ rotation.T + shift
        pixels = focal * placed[:, :2] / placed[:, 2:3] + np.array([center_x, center_y])
        middle = rotation @ middles[frame] + shift
        middle_px = focal * middle[:2] / middle[2] + np.array([center_x, center_y])
        best, direction = _outermost(pixels, first, targets[frame], middle_px)
        for j in range(count):
            if best[j] < 0:
                continue
            point, d = placed[best[j]], direction[j]
            facing = abs(np.sum((rotation @ normals[best[j]]) * point)) / np.sqrt(np.sum(point * point))
            if facing > noise[3]:
                continue
            error = (pixels[best[j], 0] - targets[frame, j, 0]) * d[0]
            error += (pixels[best[j], 1] - targets[frame, j, 1]) * d[1]
            square = (error * noise[2] / noise[1]) ** 2
            root = np.sqrt(noise[0] * presence[frame] / (1.0 + square)) * noise[2]
            dx, dy = root * d[0] * focal / point[2], root * d[1] * focal / point[2]
            dz = -(dx * point[0] + dy * point[1]) / point[2]
            turned = point - shift
            line = rows[frame, j]
            fill_line(line, (dx, dy, dz), turned, rotation, spin, shift, lines[best[j]], expression)
            line[-1] = root * error
    return rows


def add_contour(
    equations: NormalEquations,
    model: ContourModel,
    parameters: Parameters,
    *,
    targets: Float64,
    presence: Float64,
    center: tuple[float, float],
    sigma_px: float,
    robust_scale: float,
    share: float,
) -> None:
    """Add the jaw line's residuals.

    Args:
        equations: to add to.
        model: candidates.
        parameters: where to linearise.
        targets: jaw landmarks, (N, J, 2) px.
        presence: (N,).
        center: principal point, px.
        sigma_px: standard deviation of a residual.
        robust_scale: residuals beyond this many standard deviations lose weight (Cauchy).
        share: weight of each.
    """
    modes = parameters.expression.shape[1]
    neutral = model.mean + model.basis[:, :, modes:] @ parameters.identity
    moves = model.basis[:, :, :modes].reshape(-1, modes).T
    for part in chunks(len(targets)):
        some = parameters.frames(part)
        moved = (some.expression.astype(np.float32) @ moves).reshape(-1, *neutral.shape)
        rows = _fill_rows(
            np.ascontiguousarray(neutral + moved),
            model.normals,
            np.broadcast_to(model.middle, (len(moved), 3)).copy(),
            model.lines,
            model.first,
            targets[part],
            some.rotation,
            some.position,
            presence[part],
            np.array([share, robust_scale, 1 / sigma_px, MOST_FACING]),
            np.array([np.exp(some.log_focal), *center]),
            modes,
        )
        equations.add_rows(part, rows)
