"""Landmark residuals and their analytic Jacobian, summed to normal equations frame by frame."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rendering.compiled import compiled
from rendering.face_model import FaceModel
from rendering.fitting.chain_rule import fill_line
from rendering.fitting.contour import ContourModel, add_contour, contour_model
from rendering.fitting.landmark_groups import LID_PAIRS, LIP_PAIRS, used_landmarks
from rendering.fitting.parameters import Float32, Float64, NormalEquations, Parameters, chunks
from rendering.fitting.rotations import right_jacobian, rotation_matrices, rotation_matrix
from rendering.normals import vertex_normals


@dataclass(frozen=True, slots=True, kw_only=True)
class LandmarkModel:
    """The face model at the landmarks that the fit uses (L of them)."""

    ids: NDArray[np.int32]
    """MediaPipe ids, (L,)."""
    mean: Float64
    """(L, 3) m."""
    basis: Float32
    """(L, 3, E + S): expression modes, then identity modes."""
    normals: Float64
    """Outward surface normals of the mean face, (L, 3)."""
    pairs: NDArray[np.int32]
    """Rows of upper and lower lid and lip points, (K, 2)."""
    contour: ContourModel
    """The jaw line, whose landmarks are not points of the skin."""
    expression_modes: int

    def points(self, parameters: Parameters) -> Float64:
        """Head-space landmarks, (N, L, 3) m."""
        modes = self.expression_modes
        neutral = self.mean + self.basis[:, :, modes:] @ parameters.identity
        moved = np.tensordot(parameters.expression, self.basis[:, :, :modes], axes=(1, 2))
        return np.asarray(neutral + moved, dtype=np.float64)


def landmark_model(face_model: FaceModel) -> LandmarkModel:
    """Evaluate the face model at its embedded landmarks."""
    ids = used_landmarks(face_model.landmark_triangles)
    corners = face_model.triangles[face_model.landmark_triangles[ids]]
    weights = face_model.landmark_barycentrics[ids].astype(np.float64)
    basis = np.concatenate([face_model.expression_basis, face_model.identity_basis])
    corner_points = face_model.mean[corners].astype(np.float64)
    normals = np.cross(corner_points[:, 1] - corner_points[:, 0], corner_points[:, 2] - corner_points[:, 0])
    row_of = {int(landmark): row for row, landmark in enumerate(ids)}
    pairs = [(row_of[a], row_of[b]) for a, b in LID_PAIRS + LIP_PAIRS if a in row_of and b in row_of]
    return LandmarkModel(
        ids=ids,
        mean=np.einsum("lk,lkc->lc", weights, corner_points),
        basis=np.ascontiguousarray(np.einsum("lk,mlkc->lcm", weights, basis[:, corners]), dtype=np.float32),
        normals=normals / np.linalg.norm(normals, axis=1, keepdims=True),
        pairs=np.array(pairs, dtype=np.int32).reshape(-1, 2),
        contour=contour_model(face_model, vertex_normals(face_model.mean[None], face_model.triangles)[0]),
        expression_modes=len(face_model.expression_basis),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LandmarkTargets:
    """What the detector saw, and how far to trust it."""

    unit_px: float
    """Distance of the outer eye corners: what noise is a part of."""
    points: Float64
    """(N, L, 2) px."""
    jaw: Float64
    """Contour landmarks, (N, J, 2) px."""
    center: tuple[float, float]
    """Principal point, crop px."""
    point_sigma_px: float
    pair_sigma_px: float
    contour_sigma_px: float
    robust_scale: float
    share: float
    """Weight of a frame's landmarks: independent landmarks / landmarks."""
    presence: Float64
    """Weight of each frame, (N,), 0..1."""

    def frames(self, part: NDArray[np.intp]) -> LandmarkTargets:
        """Some of the frames."""
        return replace(self, points=self.points[part], jaw=self.jaw[part], presence=self.presence[part])

    def points_alone(self) -> LandmarkTargets:
        """Without the jaw line."""
        return replace(self, contour_sigma_px=np.inf)


@compiled
def _predict(turned: Float64, position: Float64, focal: float, center_x: float, center_y: float) -> Float64:
    """Image position of rotated points: (L, 3) m -> (L, 2) px."""
    depth = np.exp(position[2])
    out = np.empty((len(turned), 2))
    for row in range(turned.shape[0]):
        z = turned[row, 2] + depth
        out[row, 0] = focal * (turned[row, 0] + position[0] * depth) / z + center_x
        out[row, 1] = focal * (turned[row, 1] + position[1] * depth) / z + center_y
    return out


@compiled
def _facing_weights(points: Float64, normals: Float64, rotation: Float64, position: Float64) -> Float64:
    """Trust by view: 1 where the skin faces the camera, falling to 0.05 at the silhouette."""
    origin = rotation.T @ (np.exp(position[2]) * np.array([position[0], position[1], 1.0]))
    weights = np.empty(points.shape[0])
    for row in range(points.shape[0]):
        view = points[row] + origin
        facing = -np.sum(view * normals[row]) / np.sqrt(np.sum(view * view))
        weights[row] = min(max(facing / 0.5, 0.05), 1.0)
    return weights


@compiled
def _weigh(
    jacobian: Float32,
    pair_rows: Float32,
    error: Float64,
    weight: Float64,
    pairs: NDArray[np.int32],
    scales: Float64,
) -> None:
    """Turn plain rows (L, 2, D + 1) into weighted ones in place, and fill the pairs' rows (2 K, D + 1)."""
    jacobian[:, :, jacobian.shape[2] - 1] = error
    for pair in range(pairs.shape[0]):
        upper, lower = pairs[pair]
        root = np.float32(scales[1] * np.sqrt(min(weight[upper], weight[lower])))
        for axis in range(2):
            pair_rows[2 * pair + axis] = root * (jacobian[upper, axis] - jacobian[lower, axis])
    for row in range(jacobian.shape[0]):
        jacobian[row] *= np.float32(np.sqrt(weight[row]) * scales[0])


@compiled
def _accumulate(
    points: Float64, targets: Float64, normals: Float64, basis: Float32, pairs: NDArray[np.int32],
    rotations: Float64, positions: Float64, presence: Float64, noise: Float64, view: Float64, expression: int,
) -> tuple[Float32, Float64]:  # fmt: skip
    """Dense J'J of every frame with the residual as last column, and the robust weights."""
    focal, center_x, center_y = view
    share, robust_scale = noise[0], noise[1]
    frames, landmarks, _ = points.shape
    columns = basis.shape[2] + 7
    rows = np.zeros((2 * landmarks + 2 * pairs.shape[0], columns + 1), np.float32)
    point_rows = rows[: 2 * landmarks].reshape(landmarks, 2, columns + 1)
    gram = np.empty((frames, columns + 1, columns + 1), np.float32)
    weights = np.empty((frames, landmarks))
    for frame in range(frames):
        rotation = rotation_matrix(rotations[frame])
        spin = rotation @ right_jacobian(rotations[frame])
        turned = points[frame] @ rotation.T
        position = positions[frame]
        depth = np.exp(position[2])
        predicted = _predict(turned, position, focal, center_x, center_y)
        error = predicted - targets[frame]
        weight = _facing_weights(points[frame], normals, rotation, position)
        for row in range(landmarks):
            square = (error[row, 0] ** 2 + error[row, 1] ** 2) * noise[2] ** 2
            weight[row] *= 1.0 / (1.0 + square / robust_scale**2)
            x, y = turned[row, 0] + position[0] * depth, turned[row, 1] + position[1] * depth
            z = turned[row, 2] + depth
            slopes = ((focal / z, 0.0, -focal * x / z**2), (0.0, focal / z, -focal * y / z**2))
            for axis in range(2):
                line = point_rows[row, axis]
                fill_line(line, slopes[axis], turned[row], rotation, spin, position, basis[row], expression)
        scales = np.sqrt(share * presence[frame]) * noise[2:]
        _weigh(point_rows, rows[2 * landmarks :], error, weight, pairs, scales)
        gram[frame] = np.dot(rows.T, rows)
        weights[frame] = weight
    return gram, weights


def landmark_error(model: LandmarkModel, targets: LandmarkTargets, parameters: Parameters) -> float:
    """Rms distance of fitted and detected landmarks as a part of the eyes' distance."""
    total = 0.0
    for part in chunks(len(targets.points)):
        some = parameters.frames(part)
        turned = np.matmul(model.points(some), rotation_matrices(some.rotation).transpose(0, 2, 1))
        placed = turned + some.translation_m[:, None]
        pixels = np.exp(some.log_focal) * placed[..., :2] / placed[..., 2:] + targets.center
        seen = targets.presence[part] > 0
        total += float(((pixels - targets.points[part])[seen] ** 2).sum())
    count = max(1, int((targets.presence > 0).sum()) * len(model.ids))
    return float(np.sqrt(total / count)) / targets.unit_px


def add_landmarks(
    equations: NormalEquations, model: LandmarkModel, targets: LandmarkTargets, parameters: Parameters
) -> Float32:
    """Add the landmark, pair and jaw line residuals; returns the landmarks' robust weights, (N, L)."""
    noise = np.array(
        [targets.share, targets.robust_scale, 1 / targets.point_sigma_px, 1 / targets.pair_sigma_px]
    )
    view = np.array([np.exp(parameters.log_focal), *targets.center])
    robust = np.empty(targets.points.shape[:2], np.float32)
    for part in chunks(len(robust)):
        some = parameters.frames(part)
        normals, robust[part] = _accumulate(
            model.points(some),
            targets.points[part],
            model.normals,
            model.basis,
            model.pairs,
            some.rotation,
            some.position,
            targets.presence[part],
            noise,
            view,
            model.expression_modes,
        )
        equations.add(part, normals)
    add_contour(
        equations,
        model.contour,
        parameters,
        targets=targets.jaw,
        presence=targets.presence,
        center=targets.center,
        sigma_px=targets.contour_sigma_px,
        robust_scale=targets.robust_scale,
        share=targets.share,
    )
    return robust
