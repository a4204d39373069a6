"""The landmark stage: robust Gauss-Newton over all frames of a clip at once.

Robust costs are handled by iteratively reweighted least squares: each iteration computes the weights anew.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rendering.arrays import Float32, Float64
from rendering.camera import Camera
from rendering.fitting.arrow_solver import (
    GaussNewtonStep,
    second_difference_gradient,
    second_differences,
    solve_arrow,
)
from rendering.fitting.landmark_groups import EYE_CORNERS
from rendering.fitting.landmark_model import LandmarkModel, LandmarkTargets
from rendering.fitting.landmark_terms import add_landmarks
from rendering.fitting.parameters import NormalEquations, Parameters
from rendering.fitting.settings import LandmarkFitSettings

POSE_RIDGE = 1e-2
"""Added to the diagonal, so that a frame without any landmark stays solvable."""
DAMPING = 1e-5
"""Relative Levenberg-Marquardt damping: frames whose landmarks hardly count stay solvable in float32."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Priors:
    """Weights of prior knowledge, inverse variances."""

    expression: float
    identity: float
    smoothness: Float64
    """Weight of the squared second difference of each frame parameter, (P,)."""
    robust_scale: float
    """Second differences beyond this many standard deviations lose weight: heads jerk and eyes blink."""

    def smoothness_weights(self, parameters: Parameters) -> Float64:
        """Robust weights of the second differences (Huber 1964), (N - 2, P).

        Huber's cost is convex: the fit follows a jerk of the head, but not a single frame that jumps and
        comes back, which bends four times as much.
        """
        bend = np.abs(second_differences(parameters.frame_vector())) * np.sqrt(self.smoothness)
        return np.asarray(self.smoothness / np.maximum(1.0, bend / self.robust_scale))


def eye_distance_px(landmarks: Float32) -> float:
    """Median distance of the outer eye corners in 3D, px: landmarks (N, 478, 3) px.

    Unlike the distance in the image it does not shrink when the head turns.
    """
    right, left = EYE_CORNERS
    return float(np.median(np.linalg.norm(landmarks[:, right] - landmarks[:, left], axis=-1)))


def clip_priors(model: LandmarkModel, *, frames: int, settings: LandmarkFitSettings) -> Priors:
    """Prior weights for a clip of the given number of frames."""
    # In the order of Parameters.frame_vector.
    smoothness: Float64 = np.array(
        [settings.expression_acceleration] * model.moving.expression_modes
        + [settings.rotation_acceleration] * 3
        + [settings.shift_acceleration] * 2
        + [settings.distance_acceleration]
    )
    return Priors(
        expression=settings.expression_prior,
        identity=max(1.0, frames / settings.independent_frames),
        smoothness=smoothness**-2,
        robust_scale=settings.robust_acceleration,
    )


def key_priors(model: LandmarkModel, *, frames: int, settings: LandmarkFitSettings) -> Priors:
    """Prior weights for key frames, which are too far apart for temporal smoothness."""
    priors = clip_priors(model, frames=frames, settings=settings)
    return replace(priors, smoothness=np.zeros_like(priors.smoothness))


def add_priors(
    equations: NormalEquations, parameters: Parameters, priors: Priors, smoothness: Float64
) -> None:
    """Add Gaussian priors on identity and expression, and the gradient of the temporal smoothness."""
    modes = parameters.expression.shape[1]
    index = np.arange(equations.frame.shape[1])
    equations.frame[:, index, index] *= np.float32(1 + DAMPING)
    equations.frame[:, index, index] += np.float32(POSE_RIDGE)
    equations.frame[:, index[:modes], index[:modes]] += np.float32(priors.expression)
    # The matrix of the smoothness couples frames: solve_arrow adds it.
    equations.frame_gradient[:] += second_difference_gradient(parameters.frame_vector(), smoothness)
    equations.frame_gradient[:, :modes] += priors.expression * parameters.expression
    shared = np.arange(len(parameters.identity))
    equations.shared[shared, shared] += priors.identity
    equations.shared_gradient[shared] += priors.identity * parameters.identity


def landmark_targets(
    model: LandmarkModel,
    landmarks: Float32,
    presence: Float32,
    *,
    camera: Camera,
    settings: LandmarkFitSettings,
) -> LandmarkTargets:
    """Detected landmarks as targets of the fit: (N, 478, 3) crop px, presence (N,) 0..1."""
    unit = eye_distance_px(landmarks)
    return LandmarkTargets(
        unit_px=unit,
        points=landmarks[:, model.ids, :2].astype(np.float64),
        jaw=landmarks[:, model.contour.ids, :2].astype(np.float64),
        center=(camera.center_x_px, camera.center_y_px),
        point_sigma_px=settings.noise * unit,
        pair_sigma_px=settings.pair_noise * unit,
        contour_sigma_px=settings.contour_noise * unit,
        robust_scale=settings.robust_scale,
        share=settings.independent_landmarks / len(model.ids),
        presence=presence.astype(np.float64),
    )


def gauss_newton_step(
    equations: NormalEquations, parameters: Parameters, priors: Priors, *, free_focal: bool = False
) -> GaussNewtonStep:
    """Add the priors to the data terms and solve."""
    smoothness = priors.smoothness_weights(parameters)
    add_priors(equations, parameters, priors, smoothness)
    shared = len(parameters.identity) + (1 if free_focal else 0)
    return solve_arrow(equations, smoothness=smoothness, shared_free=slice(0, shared))


def iterate(
    model: LandmarkModel,
    targets: LandmarkTargets,
    parameters: Parameters,
    *,
    priors: Priors,
    iterations: int,
) -> Parameters:
    """Gauss-Newton iterations with the focal length held."""
    for _ in range(iterations):
        equations = NormalEquations.zeros(parameters)
        add_landmarks(equations, model, targets, parameters)
        step = gauss_newton_step(equations, parameters, priors)
        parameters = parameters.moved(step.frame, step.shared)
    return parameters


def fit_landmarks(
    model: LandmarkModel,
    targets: LandmarkTargets,
    start: Parameters,
    *,
    settings: LandmarkFitSettings,
) -> Parameters:
    """Run the landmark stage: identity on evenly spread key frames, then all frames together."""
    frames = len(targets.points)
    # Few frames fix the identity well and cheaply; the iterations over all frames start from it.
    keys = np.unique(np.linspace(0, frames - 1, min(frames, settings.key_frames)).astype(np.intp))
    known = iterate(
        model,
        targets.frames(keys),
        start.frames(keys),
        priors=key_priors(model, frames=len(keys), settings=settings),
        iterations=settings.key_iterations,
    )
    return iterate(
        model,
        targets,
        replace(start, identity=known.identity),
        priors=clip_priors(model, frames=frames, settings=settings),
        iterations=settings.iterations,
    )
