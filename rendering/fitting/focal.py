"""The focal length of a source video from the landmarks of all of its clips.

A short focal length (at a short distance) enlarges the near parts of a face more than the far ones; only a
turning head tells that from the face's own shape. The estimate is Gauss-Newton on log focal, with everything
else eliminated by Schur complements:

    c_k = S_ff - S_fi S_ii^-1 S_if     of clip k, S the system left when its frames are eliminated
    step = -(sum_k g_k + prior) / (sum_k c_k + prior)

The sum of c is the curvature of the cost. Where it is small, the motion does not determine the focal length
and the prior takes its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rendering.arrays import Float32
from rendering.camera import Camera
from rendering.face_model import FaceModel
from rendering.fitting.arrow_solver import GaussNewtonStep
from rendering.fitting.landmark_model import LandmarkModel, LandmarkTargets, landmark_model
from rendering.fitting.landmark_terms import add_landmarks
from rendering.fitting.landmarks_solver import (
    Priors,
    gauss_newton_step,
    iterate,
    key_priors,
    landmark_targets,
)
from rendering.fitting.parameters import NormalEquations, Parameters
from rendering.fitting.settings import FocalSettings
from rendering.fitting.start import start_parameters

TINY = 1e-9
LARGEST_STEP = 0.2
"""Limit on the change of log focal in an iteration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipLandmarks:
    """Detected landmarks of one clip in full frame pixels."""

    points: Float32
    """(N, 478, 3) px."""
    presence: Float32
    """(N,), 0 = interpolated or absent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FocalEstimate:
    """A source video's focal length."""

    focal_px: float
    """Pixels of the frame given."""
    observable: bool
    """True = the motion determines the focal length; False = it is the prior."""
    curvature: float
    """Information of the landmarks on log focal: 1 / its variance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _ClipLandmarks:
    targets: LandmarkTargets
    parameters: Parameters
    priors: Priors
    trust: float
    """Factor on the clip's information: landmark errors repeat, so that more frames than settings.landmarks.
    independent_frames add nothing."""


def estimate_focal(
    clips: Sequence[ClipLandmarks],
    *,
    width: int,
    height: int,
    face_model: FaceModel,
    settings: FocalSettings,
) -> FocalEstimate:
    """One focal length for all clips of a source video whose frames are width x height."""
    prior_px = prior_focal_px(width, height, settings)
    camera = Camera.centered(prior_px, width, height)
    model = landmark_model(face_model)
    modes = len(face_model.identity_basis)
    fitted = [_start(clip, model, camera=camera, identity_modes=modes, settings=settings) for clip in clips]
    log_focal, curvature = np.log(prior_px), 0.0
    # Where the detector's own error exceeds the limit, the result is the prior: one step suffices for the
    # curvature, which is reported.
    hopeless = settings.detector_spread >= settings.observable_spread
    for _ in range(1 if hopeless else settings.iterations):
        steps = [_step(clip, model) for clip in fitted]
        reduced = [_eliminate_identity(step) for step in steps]
        curvature = sum(clip.trust * one for clip, (one, _) in zip(fitted, reduced, strict=True))
        gradient = sum(clip.trust * one for clip, (_, one) in zip(fitted, reduced, strict=True))
        prior = settings.prior_spread**-2
        change = -(gradient + prior * (log_focal - np.log(prior_px))) / (curvature + prior)
        change = float(np.clip(change, -LARGEST_STEP, LARGEST_STEP))
        log_focal += change
        fitted = [_moved(clip, model, change) for clip in fitted]
    # No number of frames averages out what the detector gets wrong in all of them.
    variance = 1 / max(curvature, TINY) + settings.detector_spread**2
    observable = bool(variance <= settings.observable_spread**2)
    return FocalEstimate(
        focal_px=float(np.exp(log_focal)) if observable else prior_px,
        observable=observable,
        curvature=float(curvature),
    )


def prior_focal_px(width: int, height: int, settings: FocalSettings) -> float:
    """The focal length of the prior's field of view."""
    return float(max(width, height) / 2 / np.tan(np.radians(settings.prior_fov_deg) / 2))


def _start(
    clip: ClipLandmarks,
    model: LandmarkModel,
    *,
    camera: Camera,
    identity_modes: int,
    settings: FocalSettings,
) -> _ClipLandmarks:
    """Evenly spread frames of a clip, fitted at the prior's focal length."""
    count = len(clip.points)
    chosen = np.unique(np.linspace(0, count - 1, min(count, settings.most_frames)).astype(np.intp))
    targets = landmark_targets(
        model, clip.points[chosen], clip.presence[chosen], camera=camera, settings=settings.landmarks
    )
    start = start_parameters(
        model, clip.points[chosen], clip.presence[chosen], camera=camera, identity_modes=identity_modes
    )
    targets = targets.points_alone()
    priors = key_priors(model, frames=len(chosen), settings=settings.landmarks)
    parameters = iterate(model, targets, start, priors=priors, iterations=settings.landmarks.key_iterations)
    trust = min(1.0, settings.landmarks.independent_frames / len(chosen))
    return _ClipLandmarks(targets=targets, parameters=parameters, priors=priors, trust=trust)


def _step(clip: _ClipLandmarks, model: LandmarkModel) -> GaussNewtonStep:
    equations = NormalEquations.zeros(clip.parameters)
    add_landmarks(equations, model, clip.targets, clip.parameters)
    return gauss_newton_step(equations, clip.parameters, clip.priors, free_focal=True)


def _eliminate_identity(step: GaussNewtonStep) -> tuple[float, float]:
    """Curvature and gradient left on log focal, the last shared parameter."""
    # Schur complement once more: identity goes, log focal stays.
    solved = np.linalg.solve(
        step.schur[:-1, :-1], np.stack([step.schur[:-1, -1], step.gradient[:-1]], axis=1)
    )
    curvature = step.schur[-1, -1] - step.schur[-1, :-1] @ solved[:, 0]
    gradient = step.gradient[-1] - step.schur[-1, :-1] @ solved[:, 1]
    return float(curvature), float(gradient)


def _moved(clip: _ClipLandmarks, model: LandmarkModel, change: float) -> _ClipLandmarks:
    """The clip refitted at the changed focal length, from where the face keeps its size in the picture."""
    # Size in the picture is focal / z, place is focal * x / z: log z grows with log focal, and x / z falls.
    position = clip.parameters.position + np.array([0.0, 0.0, change])
    position[:, :2] *= np.exp(-change)
    parameters = replace(clip.parameters, log_focal=clip.parameters.log_focal + change, position=position)
    return replace(
        clip,
        parameters=iterate(model, clip.targets, parameters, priors=clip.priors, iterations=1),
    )
