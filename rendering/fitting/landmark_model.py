"""The face model at its landmarks, the detected landmarks as targets, and the bias of the detector."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rendering.arrays import Float32, Float64
from rendering.detector_bias import expected_offsets
from rendering.face_model import FaceModel
from rendering.fitting.contour import ContourModel, contour_model
from rendering.fitting.landmark_groups import LID_PAIRS, LIP_PAIRS, used_landmarks
from rendering.fitting.moving_points import MovingPoints, moving_points
from rendering.fitting.parameters import Parameters
from rendering.fitting.rotations import rotation_matrices
from rendering.fitting.visibility import view_directions
from rendering.normals import vertex_normals


@dataclass(frozen=True, slots=True, kw_only=True)
class LandmarkModel:
    """The face model at the L landmarks that the fit uses."""

    ids: NDArray[np.int32]
    """MediaPipe ids, (L,)."""
    moving: MovingPoints
    normals: Float64
    """Outward surface normals of the mean face, (L, 3)."""
    pairs: NDArray[np.int32]
    """Rows (indices into ids) of upper and lower lid and lip points that face each other, (K, 2)."""
    contour: ContourModel
    """The jaw line, whose landmarks are not fixed points of the skin."""
    bias: Float64 | None
    """Offset that the detector adds to each landmark, by view direction, (TERMS, L, 2); None = not known."""


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

    The opening of an eye or the mouth changes with the expression, over which the bias is an average. Without
    this the bias would part closed lids by a tenth of their opening.
    """
    result = bias.astype(np.float64)
    middle = result[:, pairs].mean(axis=2)
    result[:, pairs[:, 0]], result[:, pairs[:, 1]] = middle, middle
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class LandmarkTargets:
    """Detected landmarks, and how far to trust them."""

    unit_px: float
    """Distance of the outer eye corners, the unit of the settings' noise."""
    points: Float64
    """(N, L, 2) px."""
    jaw: Float64
    """Landmarks of the jaw line, (N, J, 2) px."""
    center: tuple[float, float]
    """Principal point, crop px."""
    point_sigma_px: float
    pair_sigma_px: float
    contour_sigma_px: float
    robust_scale: float
    share: float
    """Weight of each landmark: independent landmarks / landmarks."""
    presence: Float64
    """Weight of each frame, (N,), 0..1."""

    def frames(self, part: NDArray[np.intp]) -> LandmarkTargets:
        """The targets of some of the frames."""
        return replace(self, points=self.points[part], jaw=self.jaw[part], presence=self.presence[part])

    def points_alone(self) -> LandmarkTargets:
        """The targets without the jaw line."""
        return replace(self, contour_sigma_px=np.inf)


def detector_offsets_px(model: LandmarkModel, parameters: Parameters, *, unit_px: float) -> Float64:
    """Return how far from the landmarks the detector is expected to show them, (N, L, 2) px.

    Args:
        model: landmark model; without the detector's bias the offsets are 0.
        parameters: poses of the frames.
        unit_px: distance of the outer eye corners, px.
    """
    if model.bias is None:
        return np.zeros((len(parameters.rotation), len(model.ids), 2))
    rotations = rotation_matrices(parameters.rotation)
    return unit_px * expected_offsets(model.bias, view_directions(parameters), rotations)


def unbiased(model: LandmarkModel, targets: LandmarkTargets, parameters: Parameters) -> LandmarkTargets:
    """Subtract the expected offsets from the targets; they are held constant during a step."""
    offsets = detector_offsets_px(model, parameters, unit_px=targets.unit_px)
    return replace(targets, points=targets.points - offsets)
