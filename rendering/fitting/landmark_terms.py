"""Landmark residuals and their analytic Jacobian, summed to normal equations frame by frame.

    r_l = project(x_l) - m_l                                       a landmark l with detection m_l
    r_p = (project(x_u) - project(x_v)) - (m_u - m_v)              a pair of upper and lower lid or lip points

Residuals are robust by a Cauchy weight (Holland and Welsch 1977): one far off counts little.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rendering.arrays import Float32, Float64
from rendering.compiled import compiled
from rendering.fitting.chain_rule import fill_line
from rendering.fitting.contour import contour_rows
from rendering.fitting.landmark_model import LandmarkModel, LandmarkTargets, unbiased
from rendering.fitting.parameters import BLOCK, NormalEquations, Parameters, chunks
from rendering.fitting.rotations import right_jacobian, rotation_matrices, rotation_matrix

FULL_TRUST_FACING = 0.5
"""Cosine between normal and view from which on a landmark has its full weight."""
LEAST_TRUST = 0.05
"""Part of its weight that a landmark keeps at the silhouette and behind it."""


# The types of the kernels' inputs stand beside them: numba's cache on disk notices changes of this file only.
class _Points(NamedTuple):
    """The landmarks' surface points on the heads of n frames."""

    points: Float64
    """Head space, (n, L, 3) m."""
    normals: Float64
    """(L, 3)."""
    lines: Float32
    """MovingPoints.lines, (L, 3, D + 1)."""
    pairs: NDArray[np.int32]
    """LandmarkModel.pairs, (K, 2)."""


class _Frames(NamedTuple):
    """Pose and detected landmarks of n frames."""

    rotation: Float64
    """Rotation vectors, (n, 3)."""
    position: Float64
    """x/z, y/z, log z, (n, 3)."""
    targets: Float64
    """(n, L, 2) px."""
    presence: Float64
    """(n,)."""


class _Noise(NamedTuple):
    """How much a residual counts."""

    share: float
    """Weight of each landmark before robust weighting."""
    robust_scale: float
    """In standard deviations."""
    precision: float
    """1 / standard deviation of a landmark, 1 / px."""
    pair_precision: float
    """1 / standard deviation of a lid or lip distance, 1 / px."""


@compiled
def _facing(point: Float64, normal: Float64, origin: Float64) -> float:
    """Trust by view: 1 where the skin faces the camera, falling to LEAST_TRUST at the silhouette."""
    x, y, z = point[0] + origin[0], point[1] + origin[1], point[2] + origin[2]
    facing = -(x * normal[0] + y * normal[1] + z * normal[2]) / np.sqrt(x * x + y * y + z * z)
    return float(min(max(facing / FULL_TRUST_FACING, LEAST_TRUST), 1.0))


@compiled
def _fill_pairs(
    rows: Float32, landmarks: int, pairs: NDArray[np.int32], weight: Float64, noise: _Noise
) -> None:
    """Fill the pairs' rows, differences of two landmarks' rows, behind those: (2 L + 2 K, D + 1)."""
    sharper = noise.pair_precision / noise.precision
    for pair in range(len(pairs)):
        upper, lower = pairs[pair]
        least = min(weight[upper], weight[lower])
        # The landmarks' rows carry their own weights: divide by these, then apply the smaller of the two.
        first = np.float32(sharper * np.sqrt(least / weight[upper]))
        second = np.float32(sharper * np.sqrt(least / weight[lower]))
        for axis in range(2):
            line = rows[2 * (landmarks + pair) + axis]
            one, other = rows[2 * upper + axis], rows[2 * lower + axis]
            for column in range(rows.shape[1]):
                line[column] = first * one[column] - second * other[column]


@compiled
def _fill_rows(
    rows: Float32, model: _Points, frames: _Frames, noise: _Noise, view: Float64, expression: int
) -> Float64:
    """Fill the weighted rows of J of landmarks and pairs, the residual last.

    Args:
        rows: (n, rows, D + 1); the first 2 L + 2 K rows of each frame are written.
        model: the landmarks' surface points.
        frames: where to linearise, and what was detected.
        noise: how much a residual counts.
        view: focal length and principal point, px.
        expression: E.

    Returns:
        Robust weight of each landmark, (n, L).
    """
    focal, center_x, center_y = view
    landmarks = model.points.shape[1]
    weights = np.empty((len(model.points), landmarks))
    for frame in range(len(weights)):
        points, targets = model.points[frame], frames.targets[frame]
        rotation = rotation_matrix(frames.rotation[frame])
        spin = rotation @ right_jacobian(frames.rotation[frame])
        turned = points @ rotation.T
        position, weight = frames.position[frame], weights[frame]
        origin = np.exp(position[2]) * np.array([position[0], position[1], 1.0])
        origin_in_head = rotation.T @ origin
        scale = np.sqrt(noise.share * frames.presence[frame]) * noise.precision
        for row in range(landmarks):
            x, y, z = turned[row, 0] + origin[0], turned[row, 1] + origin[1], turned[row, 2] + origin[2]
            error_x = focal * x / z + center_x - targets[row, 0]
            error_y = focal * y / z + center_y - targets[row, 1]
            # Cauchy weight 1 / (1 + (r / c)^2) of a residual r in units of the scale c
            square = (error_x**2 + error_y**2) * noise.precision**2
            weight[row] = _facing(points[row], model.normals[row], origin_in_head)
            weight[row] /= 1.0 + square / noise.robust_scale**2
            root = scale * np.sqrt(weight[row])
            # Derivative of focal * (x/z, y/z) by the camera-space point (x, y, z), weighted.
            slope = root * focal / z
            across, down = rows[frame, 2 * row], rows[frame, 2 * row + 1]
            basis = model.lines[row]
            fill_line(
                across, (slope, 0.0, -slope * x / z), turned[row], rotation, spin, origin, basis, expression
            )
            fill_line(
                down, (0.0, slope, -slope * y / z), turned[row], rotation, spin, origin, basis, expression
            )
            across[-1], down[-1] = root * error_x, root * error_y
        _fill_pairs(rows[frame], landmarks, model.pairs, weight, noise)
    return weights


def landmark_error(model: LandmarkModel, targets: LandmarkTargets, parameters: Parameters) -> float:
    """Rms distance of detected landmarks from where they are expected, as a part of the eyes' distance."""
    total = 0.0
    targets = unbiased(model, targets, parameters)
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
    """Add the residuals of landmarks, pairs and jaw line; returns the landmarks' robust weights, (N, L)."""
    targets = unbiased(model, targets, parameters)
    noise = _Noise(
        share=targets.share,
        robust_scale=targets.robust_scale,
        precision=1 / targets.point_sigma_px,
        pair_precision=1 / targets.pair_sigma_px,
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
            _Points(
                points=model.moving.points(some.identity, some.expression),
                normals=model.normals,
                lines=model.moving.lines,
                pairs=model.pairs,
            ),
            _Frames(
                rotation=some.rotation,
                position=some.position,
                targets=targets.points[part],
                presence=targets.presence[part],
            ),
            noise,
            view,
            model.moving.expression_modes,
        )
        filled[:, own:] = outline[part]
        equations.add_rows(part, filled)
    return robust
