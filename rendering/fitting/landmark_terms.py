"""Landmark residuals and their analytic Jacobian, summed to normal equations frame by frame."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rendering.compiled import compiled
from rendering.face_model import FaceModel
from rendering.fitting.chain_rule import fill_line
from rendering.fitting.contour import ContourModel, contour_model, contour_rows
from rendering.fitting.landmark_groups import LID_PAIRS, LIP_PAIRS, used_landmarks
from rendering.fitting.moving_points import MovingPoints, moving_points
from rendering.fitting.parameters import BLOCK, Float32, Float64, NormalEquations, Parameters, chunks
from rendering.fitting.rotations import right_jacobian, rotation_matrices, rotation_matrix
from rendering.fitting.visibility import view_directions
from rendering.landmarks.detector_bias import expected_offsets
from rendering.normals import vertex_normals


@dataclass(frozen=True, slots=True, kw_only=True)
class LandmarkModel:
    """The face model at the landmarks that the fit uses (L of them)."""

    ids: NDArray[np.int32]
    """MediaPipe ids, (L,)."""
    moving: MovingPoints
    normals: Float64
    """Outward surface normals of the mean face, (L, 3)."""
    pairs: NDArray[np.int32]
    """Rows of upper and lower lid and lip points, (K, 2)."""
    contour: ContourModel
    """The jaw line, whose landmarks are not points of the skin."""
    bias: Float64 | None
    """What the detector adds to each landmark, by view direction, (TERMS, L, 2); None = not known."""


def landmark_model(face_model: FaceModel) -> LandmarkModel:
    """Evaluate the face model at its embedded landmarks."""
    ids = used_landmarks(face_model.landmark_triangles)
    corners = face_model.triangles[face_model.landmark_triangles[ids]]
    weights = face_model.landmark_barycentrics[ids].astype(np.float64)
    corner_points = face_model.mean[corners].astype(np.float64)
    normals = np.cross(corner_points[:, 1] - corner_points[:, 0], corner_points[:, 2] - corner_points[:, 0])
    row_of = {int(landmark): row for row, landmark in enumerate(ids)}
    pairs = [(row_of[a], row_of[b]) for a, b in LID_PAIRS + LIP_PAIRS if a in row_of and b in row_of]
    expression, identity = (
        np.einsum("lk,mlkc->mlc", weights, basis[:, corners]).astype(np.float32)
        for basis in (face_model.expression_basis, face_model.identity_basis)
    )
    paired = np.array(pairs, dtype=np.int32).reshape(-1, 2)
    return LandmarkModel(
        ids=ids,
        moving=moving_points(np.einsum("lk,lkc->lc", weights, corner_points), expression, identity),
        normals=normals / np.linalg.norm(normals, axis=1, keepdims=True),
        pairs=paired,
        bias=None if face_model.landmark_bias is None else _paired(face_model.landmark_bias[:, ids], paired),
        contour=contour_model(face_model, vertex_normals(face_model.mean[None], face_model.triangles)[0]),
    )


def _paired(bias: Float32, pairs: NDArray[np.int32]) -> Float64:
    """The bias (TERMS, L, 2) with the mean of both points for each pair (K, 2).

    How open an eye or the mouth is changes with the expression, over which the bias is an average: it would
    part closed lids by a tenth of their opening.
    """
    result = bias.astype(np.float64)
    middle = result[:, pairs].mean(axis=2)
    result[:, pairs[:, 0]], result[:, pairs[:, 1]] = middle, middle
    return result


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
def _facing(point: Float64, normal: Float64, origin: Float64) -> float:
    """Trust by view: 1 where the skin faces the camera, falling to 0.05 at the silhouette."""
    x, y, z = point[0] + origin[0], point[1] + origin[1], point[2] + origin[2]
    facing = -(x * normal[0] + y * normal[1] + z * normal[2]) / np.sqrt(x * x + y * y + z * z)
    return float(min(max(facing / 0.5, 0.05), 1.0))


@compiled
def _fill_pairs(
    rows: Float32, landmarks: int, pairs: NDArray[np.int32], weight: Float64, noise: Float64
) -> None:
    """The pairs' rows, differences of two landmarks' rows, behind those: (2 L + 2 K, D + 1)."""
    for pair in range(len(pairs)):
        upper, lower = pairs[pair]
        least = min(weight[upper], weight[lower])
        # the landmarks' rows are weighted already
        first = np.float32(noise[3] / noise[2] * np.sqrt(least / weight[upper]))
        second = np.float32(noise[3] / noise[2] * np.sqrt(least / weight[lower]))
        for axis in range(2):
            line = rows[2 * (landmarks + pair) + axis]
            one, other = rows[2 * upper + axis], rows[2 * lower + axis]
            for column in range(rows.shape[1]):
                line[column] = first * one[column] - second * other[column]


@compiled
def _fill_rows(
    rows: Float32, points: Float64, targets: Float64, normals: Float64, lines: Float32,
    pairs: NDArray[np.int32], rotations: Float64, positions: Float64, presence: Float64, noise: Float64,
    view: Float64, expression: int,
) -> Float64:  # fmt: skip
    """Fill the first 2 L + 2 K weighted rows of J, (n, rows, D + 1), residual last; give robust weights."""
    focal = view[0]
    frames, landmarks, _ = points.shape
    weights = np.empty((frames, landmarks))
    for frame in range(frames):
        rotation = rotation_matrix(rotations[frame])
        spin = rotation @ right_jacobian(rotations[frame])
        turned = points[frame] @ rotation.T
        position, weight = positions[frame], weights[frame]
        origin = np.exp(position[2]) * np.array([position[0], position[1], 1.0])
        origin_in_head = rotation.T @ origin
        scale = np.sqrt(noise[0] * presence[frame]) * noise[2]
        for row in range(landmarks):
            x, y, z = turned[row, 0] + origin[0], turned[row, 1] + origin[1], turned[row, 2] + origin[2]
            error_x = focal * x / z + view[1] - targets[frame, row, 0]
            error_y = focal * y / z + view[2] - targets[frame, row, 1]
            square = (error_x**2 + error_y**2) * noise[2] ** 2
            weight[row] = _facing(points[frame, row], normals[row], origin_in_head)
            weight[row] /= 1.0 + square / noise[1] ** 2
            root = scale * np.sqrt(weight[row])
            slope = root * focal / z
            across, down = rows[frame, 2 * row], rows[frame, 2 * row + 1]
            basis = lines[row]
            fill_line(
                across, (slope, 0.0, -slope * x / z), turned[row], rotation, spin, origin, basis, expression
            )
            fill_line(
                down, (0.0, slope, -slope * y / z), turned[row], rotation, spin, origin, basis, expression
            )
            across[-1], down[-1] = root * error_x, root * error_y
        _fill_pairs(rows[frame], landmarks, pairs, weight, noise)
    return weights


def detector_offsets_px(model: LandmarkModel, parameters: Parameters, *, unit_px: float) -> Float64:
    """How far from the landmarks the detector is expected to show them, (N, L, 2) px.

    Args:
        model: with the detector's bias; without it offsets are 0.
        parameters: the poses.
        unit_px: distance of the outer eye corners.
    """
    if model.bias is None:
        return np.zeros((len(parameters.rotation), len(model.ids), 2))
    rotations = rotation_matrices(parameters.rotation)
    return unit_px * expected_offsets(model.bias, view_directions(parameters), rotations)


def _unbiased(model: LandmarkModel, targets: LandmarkTargets, parameters: Parameters) -> LandmarkTargets:
    """Targets less the expected offsets; these are held in a step, of which they follow about a third."""
    offsets = detector_offsets_px(model, parameters, unit_px=targets.unit_px)
    return replace(targets, points=targets.points - offsets)


def landmark_error(model: LandmarkModel, targets: LandmarkTargets, parameters: Parameters) -> float:
    """Rms distance of detected landmarks from where they are expected, as a part of the eyes' distance."""
    total = 0.0
    targets = _unbiased(model, targets, parameters)
    for part in chunks(len(targets.points)):
        some = parameters.frames(part)
        turned = np.matmul(
            model.moving.points(some.identity, some.expression),
            rotation_matrices(some.rotation).transpose(0, 2, 1),
        )
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
    targets = _unbiased(model, targets, parameters)
    noise = np.array(
        [targets.share, targets.robust_scale, 1 / targets.point_sigma_px, 1 / targets.pair_sigma_px]
    )
    view = np.array([np.exp(parameters.log_focal), *targets.center])
    robust = np.empty(targets.points.shape[:2], np.float32)
    outline = contour_rows(
        model.contour,
        parameters,
        targets=targets.jaw,
        presence=targets.presence,
        center=targets.center,
        sigma_px=targets.contour_sigma_px,
        robust_scale=targets.robust_scale,
        share=targets.share,
    )
    own = 2 * len(model.ids) + 2 * len(model.pairs)
    rows = np.empty((BLOCK, own + outline.shape[1], outline.shape[2]), np.float32)
    for part in chunks(len(robust), size=BLOCK):
        some = parameters.frames(part)
        filled = rows[: len(some.expression)]
        robust[part] = _fill_rows(
            filled,
            model.moving.points(some.identity, some.expression),
            targets.points[part],
            model.normals,
            model.moving.lines,
            model.pairs,
            some.rotation,
            some.position,
            targets.presence[part],
            noise,
            view,
            model.moving.expression_modes,
        )
        filled[:, own:] = outline[part]
        equations.add_rows(part, filled)
    return robust
