"""Plausibility of a landmark embedding: distances on the mean face, and how expressions change them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rendering.arrays import Float32
from rendering.face_model import LANDMARKS, FaceModel
from rendering.landmarks.face_mesh_points import (
    INNER_LIP_PAIRS,
    IRISES,
    LEFT_EYE_CORNERS,
    LEFT_LID_PAIRS,
    OUTER_EYE_CORNERS,
    RIGHT_EYE_CORNERS,
    RIGHT_LID_PAIRS,
)

MIN_EMBEDDED = 400
MIN_APERTURE_SHARE = 0.12
"""Smallest lid aperture / eye width of the neutral mean face; open eyes have 0.25 to 0.45."""
EYE_DISTANCE_RANGE_M = (0.070, 0.120)
MAX_LIP_GAP_M = 0.012
MIN_LIP_RESPONSE_M = 0.008
TRIED_SIGMA = 4.0
"""Responses are measured with the best expression whose coefficients have this norm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingCheck:
    """Measured distances, in metres."""

    embedded: int
    right_lid_aperture_m: float
    left_lid_aperture_m: float
    lip_gap_m: float
    outer_eye_distance_m: float
    right_lid_response_m: float
    """How far the right lids close with an expression that does not move the left ones."""
    left_lid_response_m: float
    lip_response_m: float
    """How far an expression parts the inner lips."""


def check_embedding(face_model: FaceModel) -> EmbeddingCheck:
    """Measure an embedding and refuse one that cannot be right.

    Raises:
        ValueError: a lid or the lips have collapsed, the sides are swapped, the size is wrong, or too few
            landmarks are embedded; the message names all problems.
    """
    points = face_model.landmark_points(face_model.mean[None])[0]
    right, left = _lid_gradient(face_model, RIGHT_LID_PAIRS), _lid_gradient(face_model, LEFT_LID_PAIRS)
    check = EmbeddingCheck(
        embedded=int((face_model.landmark_triangles >= 0).sum()),
        right_lid_aperture_m=_gap(points, RIGHT_LID_PAIRS),
        left_lid_aperture_m=_gap(points, LEFT_LID_PAIRS),
        lip_gap_m=_gap(points, INNER_LIP_PAIRS),
        outer_eye_distance_m=float(np.linalg.norm(np.subtract(*points[list(OUTER_EYE_CORNERS)]))),
        right_lid_response_m=_alone(right, left),
        left_lid_response_m=_alone(left, right),
        lip_response_m=TRIED_SIGMA * float(np.linalg.norm(_lid_gradient(face_model, INNER_LIP_PAIRS))),
    )
    problems = _problems(check, points)
    if problems:
        raise ValueError(f"{face_model.name}: the landmark embedding failed: {'; '.join(problems)}")
    return check


def _problems(check: EmbeddingCheck, points: Float32) -> list[str]:
    problems = []
    if check.embedded < MIN_EMBEDDED:
        problems.append(
            f"{check.embedded} of {LANDMARKS - len(IRISES)} landmarks embedded, need {MIN_EMBEDDED}"
        )
    eyes = (
        ("right", check.right_lid_aperture_m, RIGHT_EYE_CORNERS),
        ("left", check.left_lid_aperture_m, LEFT_EYE_CORNERS),
    )
    for side, aperture_m, (outer, inner) in eyes:
        limit_m = MIN_APERTURE_SHARE * np.linalg.norm(points[outer] - points[inner])
        if not aperture_m >= limit_m:
            problems.append(
                f"{side} lid collapsed: aperture {1000 * aperture_m:.2f} mm, need {1000 * limit_m:.2f}"
            )
    low, high = EYE_DISTANCE_RANGE_M
    if not low <= check.outer_eye_distance_m <= high:
        problems.append(
            f"outer eye corners {1000 * check.outer_eye_distance_m:.0f} mm apart, "
            f"need {1000 * low:.0f} to {1000 * high:.0f}; check the units"
        )
    if not points[OUTER_EYE_CORNERS[0], 0] < points[OUTER_EYE_CORNERS[1], 0]:
        problems.append("left and right are swapped; check the axes")
    if not check.lip_gap_m <= MAX_LIP_GAP_M:
        problems.append(
            f"lips {1000 * check.lip_gap_m:.1f} mm apart, need at most {1000 * MAX_LIP_GAP_M:.0f}"
        )
    if not check.lip_response_m >= MIN_LIP_RESPONSE_M:
        problems.append(
            f"lips collapsed: the best expression parts them by {1000 * check.lip_response_m:.1f} mm, "
            f"need {1000 * MIN_LIP_RESPONSE_M:.0f}"
        )
    return problems


def _gap(points: Float32, pairs: tuple[tuple[int, int], ...]) -> float:
    """Mean signed vertical distance from the upper to the lower points of pairs, metres."""
    return float(np.mean([points[lower, 1] - points[upper, 1] for upper, lower in pairs]))


def _lid_gradient(face_model: FaceModel, pairs: tuple[tuple[int, int], ...]) -> Float32:
    """Change of the pairs' mean distance with each expression coefficient: (25,) m."""
    moves = face_model.landmark_points(face_model.expression_basis)
    return np.asarray([_gap(move, pairs) for move in moves], np.float32)


def _alone(gradient: Float32, other: Float32) -> float:
    """Largest change along one gradient that leaves the other quantity as it is, metres."""
    norm = float(np.linalg.norm(other))
    # Remove the part of the gradient that would change the other quantity.
    free = gradient if norm == 0 else gradient - other * float(gradient @ other) / norm**2
    return TRIED_SIGMA * float(np.linalg.norm(free))
