"""The MediaPipe landmarks that the fit uses, and the pairs that measure how open eyes and mouth are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rendering.landmarks.face_mesh_points import FACE_OVAL, INNER_LIP_PAIRS, LEFT_LID_PAIRS, RIGHT_LID_PAIRS

MESH_LANDMARKS = 468
"""Landmarks of the face mesh; the ten after them are irises, which face models here do not embed."""

SIDES = (34, 227, 137, 177, 215, 138, 264, 447, 366, 401, 435, 367)
"""The ring inside the face oval, from temple to jaw angle; like the oval it slides when the head turns."""

FOREHEAD = (151, 108, 69, 104, 68, 71, 337, 299, 333, 298, 301)
"""The row above the brows: no feature marks it, so that the detector guesses it, even under a fringe."""

LID_PAIRS = RIGHT_LID_PAIRS + LEFT_LID_PAIRS
LIP_PAIRS = (*INNER_LIP_PAIRS, (81, 178), (311, 402))

EYE_CORNERS = (33, 263)
"""Outer corners of the subject's right and left eye: the length that landmark errors are divided by."""


def used_landmarks(landmark_triangles: NDArray[np.int32]) -> NDArray[np.int32]:
    """Ids of the landmarks that the fit compares point by point: the embedded ones inside the face oval."""
    embedded = np.flatnonzero(landmark_triangles[:MESH_LANDMARKS] >= 0)
    return np.setdiff1d(embedded, FACE_OVAL + SIDES + FOREHEAD).astype(np.int32)


def pair_distances(
    landmarks: NDArray[np.floating[Any]], pairs: tuple[tuple[int, int], ...]
) -> NDArray[np.float32]:
    """Mean distance of the pairs' image points: landmarks (N, 478, >=2) px -> (N,) px."""
    upper, lower = np.array(pairs).T
    gaps = np.linalg.norm(landmarks[:, upper, :2] - landmarks[:, lower, :2], axis=-1)
    return np.asarray(gaps.mean(axis=-1), dtype=np.float32)


def apertures(landmarks: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Mean opening of the right lids, the left lids and the lips: (N, 478, >=2) px -> (N, 3) px."""
    return np.stack(
        [pair_distances(landmarks, pairs) for pairs in (RIGHT_LID_PAIRS, LEFT_LID_PAIRS, LIP_PAIRS)], axis=1
    )
