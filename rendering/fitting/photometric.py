"""The photometric stage: Gauss-Newton on brightness and landmarks together (the paper's photometric loss)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rendering.arrays import Float32, Float64
from rendering.face_model import FaceModel
from rendering.fitting.appearance import LEAST_SHADING, Appearance, estimate_albedo, estimate_light
from rendering.fitting.landmark_model import LandmarkModel, LandmarkTargets
from rendering.fitting.landmark_terms import add_landmarks, landmark_error
from rendering.fitting.landmarks_solver import Priors, gauss_newton_step
from rendering.fitting.parameters import BLOCK, NormalEquations, Parameters, chunks
from rendering.fitting.patches import Patches
from rendering.fitting.photometric_terms import brightness_rows, placing, sample_frames
from rendering.fitting.result import SkinAppearance
from rendering.fitting.rotations import rotation_matrices
from rendering.fitting.settings import PhotometricSettings
from rendering.fitting.skin_samples import SkinSamples, neutral_normals
from rendering.fitting.slow_shading import explained_by_patterns
from rendering.fitting.visibility import view_directions, visible_samples
from rendering.relighting.shading import sh_basis

LIGHT_FRAMES = 32
"""The light is estimated on this many frames, evenly spread."""
MAD_TO_SIGMA = 1.4826
"""Standard deviation / median absolute deviation of a Gaussian."""
ALTERNATIONS = 3
"""Rounds of alternating least squares for light, albedo and gain."""
TINY = 1e-12
"""Smallest divisor of weights: a clip without any visible sample gives 0, not NaN."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SkinObservation:
    """Brightness of a clip's skin samples where certain parameters project them, and its explanation."""

    brightness: Float32
    """(N, K) 0..1."""
    gradient: Float32
    """Gradient of the brightness, (N, K, 2) per crop px."""
    weight: Float32
    """Cosine between normal and view where a sample is visible, else 0: (N, K) 0..1."""
    shading: Float32
    """Y(n) . light, (N, K)."""
    appearance: Appearance

    @property
    def residual(self) -> Float32:
        """Brightness minus model, (N, K); 0 where not visible."""
        gain = self.appearance.gain[:, None].astype(np.float32)
        model = gain * self.appearance.albedo.astype(np.float32) * self.shading
        return np.where(self.weight > 0, self.brightness - model, np.float32(0))

    def frame_errors(self) -> Float32:
        """Mean absolute residual of each frame over its visible samples, (N,) 0..1."""
        seen = np.maximum((self.weight > 0).sum(axis=1), 1)
        return np.asarray(np.abs(self.residual).sum(axis=1) / seen, dtype=np.float32)


def look(
    samples: SkinSamples,
    patches: Patches,
    parameters: Parameters,
    *,
    center: tuple[float, float],
    unhidden: NDArray[np.bool_],
    settings: PhotometricSettings,
) -> SkinObservation:
    """Sample the pictures and explain them by light, albedo and exposure.

    `center` is the principal point, crop px; `unhidden` (N, K) are samples with no other part of the face in
    front.
    """
    frames, count = len(parameters.expression), len(samples.vertices)
    brightness, weight = np.empty((2, frames, count), np.float32)
    gradient = np.empty((frames, count, 2), np.float32)
    normals = HeadNormals(samples, parameters.identity)
    view = np.array([np.exp(parameters.log_focal), *center])
    for part in chunks(frames):
        some = parameters.frames(part)
        points = samples.moving.points(some.identity, some.expression)
        brightness[part], gradient[part] = sample_frames(
            patches.images[part], points, some.rotation, some.position, view, placing(patches)
        )
        towards = view_directions(some).astype(np.float32)
        facing = np.matmul(normals.at(some.expression), towards[:, :, None])[:, :, 0]
        seen = unhidden[part] & np.isfinite(brightness[part]) & (facing > settings.least_facing)
        weight[part] = np.where(seen, facing, 0)
    # Samples outside the picture are NaN, which a weight of 0 would not hide.
    brightness[weight == 0] = 0
    every = np.unique(np.linspace(0, frames - 1, min(frames, LIGHT_FRAMES)).astype(int))
    light, _ = estimate_light(
        brightness[every],
        normals.harmonics(parameters.frames(every)),
        weight[every],
        alternations=ALTERNATIONS,
    )
    shading = np.empty_like(brightness)
    for part in chunks(frames):
        shading[part] = np.maximum(
            normals.harmonics(parameters.frames(part)) @ light.astype(np.float32), LEAST_SHADING
        )
    appearance = estimate_albedo(brightness, shading, weight, light=light)
    return SkinObservation(
        brightness=brightness, gradient=gradient, weight=weight, shading=shading, appearance=appearance
    )


class HeadNormals:
    """Unit normals of the samples, linear in the expression around the neutral face of an identity."""

    def __init__(self, samples: SkinSamples, identity: Float64) -> None:
        self._neutral, basis = neutral_normals(samples, identity)
        self._basis = np.ascontiguousarray(basis.reshape(-1, samples.moving.expression_modes).T)

    def at(self, expression: Float64) -> Float32:
        """Normals in head space, (N, K, 3); expression (N, E)."""
        moved = expression.astype(np.float32) @ self._basis
        normals = self._neutral + moved.reshape(-1, *self._neutral.shape)
        normals /= np.sqrt(np.einsum("nkc,nkc->nk", normals, normals))[:, :, None]
        return normals

    def harmonics(self, parameters: Parameters) -> Float32:
        """Spherical harmonics of the normals in camera axes, (N, K, 9)."""
        rotations = rotation_matrices(parameters.rotation)
        turned = np.matmul(self.at(parameters.expression), rotations.transpose(0, 2, 1).astype(np.float32))
        return np.asarray(sh_basis(turned), dtype=np.float32)


def noise_and_share(
    observation: SkinObservation, residual: Float32, *, settings: PhotometricSettings
) -> tuple[float, float]:
    """Standard deviation of brightness around the model, and how much of an independent sample each one is.

    The noise is the clip's own, from the median absolute residual, which outliers hardly change. Noise beyond
    least_noise is error of the model (glasses, highlights, hair), which neighbouring samples share: the
    number of independent samples falls with it.
    """
    magnitude = np.abs(residual[observation.weight > 0])
    spread = MAD_TO_SIGMA * float(np.median(magnitude)) if len(magnitude) else 0.0
    noise = max(settings.least_noise, spread)
    return noise, settings.independent_samples / residual.shape[1] * settings.least_noise / noise


def settled(observation: SkinObservation, *, settings: PhotometricSettings) -> SkinObservation:
    """The observation with albedo and exposure at their best under the weights that its residuals have.

    Only then is the gradient with albedo held that of the cost with albedo eliminated.
    """
    roots = robust_roots(observation, observation.residual, settings=settings)
    weight = roots**2 / max(float(roots.max()) ** 2, TINY)
    appearance = observation.appearance
    return replace(
        observation,
        appearance=estimate_albedo(
            observation.brightness, observation.shading, weight, light=appearance.light
        ),
    )


def robust_roots(
    observation: SkinObservation, residual: Float32, *, settings: PhotometricSettings
) -> Float32:
    """Square roots of the samples' weights, (N, K), from the residual (N, K)."""
    noise, share = noise_and_share(observation, residual, settings=settings)
    cauchy = 1 / (1 + (residual / (settings.robust_scale * noise)) ** 2)
    return np.asarray(np.sqrt(share * observation.weight * cauchy) / noise, dtype=np.float32)


def add_brightness(
    equations: NormalEquations,
    samples: SkinSamples,
    observation: SkinObservation,
    parameters: Parameters,
    *,
    settings: PhotometricSettings,
) -> None:
    """Add the brightness residuals of all frames, each frame's slow shading errors eliminated."""
    observation = settled(observation, settings=settings)
    residual = observation.residual
    roots = robust_roots(observation, residual, settings=settings)
    expected = observation.brightness - residual
    _, share = noise_and_share(observation, residual, settings=settings)
    rows = np.empty((BLOCK, len(samples.vertices), samples.moving.lines.shape[2]), np.float32)
    for part in chunks(len(residual), size=BLOCK):
        some = parameters.frames(part)
        filled = rows[: len(some.expression)]
        brightness_rows(
            filled,
            samples.moving.points(some.identity, some.expression),
            samples.moving.lines,
            some.rotation,
            some.position,
            float(np.exp(parameters.log_focal)),
            residual[part],
            observation.gradient[part],
            roots[part],
            samples.moving.expression_modes,
        )
        equations.add_rows(part, filled)
        slow = (roots[part] * expected[part])[:, :, None] * samples.patterns
        equations.add(
            part, -explained_by_patterns(filled, slow, precision=share / settings.pattern_spread**2)
        )


def refine(
    samples: SkinSamples,
    face_model: FaceModel,
    patches: Patches,
    parameters: Parameters,
    *,
    landmarks: tuple[LandmarkModel, LandmarkTargets],
    priors: Priors,
    settings: PhotometricSettings,
) -> Parameters:
    """Gauss-Newton iterations on landmarks and brightness.

    A large error after the landmark stage means that the detector errs, or sees a face that the model cannot
    take on: landmarks then count less against brightness.
    """
    model, targets = landmarks
    excess = max(1.0, landmark_error(model, targets, parameters) / settings.landmark_error)
    targets = replace(targets, share=targets.share / excess**2)
    unhidden = visible_samples(face_model, samples.vertices, parameters)
    for remaining in reversed(range(settings.iterations)):
        observation = look(
            samples,
            patches,
            parameters,
            center=targets.center,
            unhidden=unhidden,
            settings=settings,
        )
        equations = NormalEquations.zeros(parameters)
        add_brightness(equations, samples, observation, parameters, settings=settings)
        add_landmarks(equations, model, targets, parameters)
        step = gauss_newton_step(equations, parameters, priors)
        # Over-relaxation; the last step is a plain one, so that it ends at a minimum of its equations.
        stretch = settings.relaxation if remaining else 1.0
        parameters = parameters.moved(stretch * step.frame, stretch * step.shared)
    return parameters


def skin_appearance(
    samples: SkinSamples,
    patches: Patches,
    parameters: Parameters,
    *,
    center: tuple[float, float],
    observation: SkinObservation,
) -> SkinAppearance:
    """Light and albedo in colour, from the patches that kept their colour."""
    some = parameters.frames(patches.color_frames)
    weight = observation.weight[patches.color_frames]
    harmonics = HeadNormals(samples, some.identity).harmonics(some)
    points = samples.moving.points(some.identity, some.expression)
    view = np.array([np.exp(some.log_focal), *center])
    lighting, albedo = np.empty((9, 3)), np.empty((len(samples.vertices), 3))
    for channel in range(3):
        images = np.ascontiguousarray(patches.colors[:, channel])
        value, _ = sample_frames(images, points, some.rotation, some.position, view, placing(patches))
        brightness = np.where(weight > 0, value, np.float32(0))
        light, _ = estimate_light(brightness, harmonics, weight, alternations=ALTERNATIONS)
        shading = np.maximum(harmonics @ light.astype(np.float32), LEAST_SHADING)
        lighting[:, channel] = light
        albedo[:, channel] = estimate_albedo(brightness, shading, weight, light=light).albedo
    return SkinAppearance(
        lighting=lighting.astype(np.float32), vertices=samples.vertices, albedo=albedo.astype(np.float32)
    )
