"""The fit of one clip: landmarks, then brightness, then figures and a verdict on its frames.

This is the paper's tracking of in-the-wild clips (section 7.3): a landmark and a photometric loss, and one
identity for the whole clip. docs/fitting.md explains the method.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rendering.arrays import Float32
from rendering.camera import Camera
from rendering.face_model import FaceModel
from rendering.fitting.inliers import vertex_inliers
from rendering.fitting.landmark_groups import EYE_CORNERS, apertures
from rendering.fitting.landmark_model import LandmarkModel, detector_offsets_px, landmark_model
from rendering.fitting.landmarks_solver import clip_priors, eye_distance_px, fit_landmarks, landmark_targets
from rendering.fitting.parameters import Parameters, chunks
from rendering.fitting.patches import Patches
from rendering.fitting.photometric import SkinObservation, look, refine, skin_appearance
from rendering.fitting.quality import FrameFigures, judge_frames
from rendering.fitting.result import ClipFit
from rendering.fitting.rotations import rotation_matrices
from rendering.fitting.settings import FitSettings
from rendering.fitting.skin_samples import SkinSamples, skin_samples
from rendering.fitting.start import start_parameters
from rendering.fitting.visibility import visible_samples


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipFitter:
    """A face model prepared for fitting; one fitter serves all clips."""

    face_model: FaceModel
    landmarks: LandmarkModel
    samples: SkinSamples | None
    """None without the photometric stage."""
    settings: FitSettings

    def fit(
        self, landmarks: Float32, presence: Float32, *, camera: Camera, patches: Patches | None
    ) -> ClipFit:
        """Fit one clip.

        Args:
            landmarks: detected landmarks, (N, 478, 3) crop px; z in the same unit.
            presence: (N,), 0 = the frame's landmarks are interpolated or absent, and are not used.
            camera: camera of the crop.
            patches: pictures of the clip's frames; None = landmarks alone.
        """
        targets = landmark_targets(
            self.landmarks, landmarks, presence, camera=camera, settings=self.settings.landmarks
        )
        start = start_parameters(
            self.landmarks,
            landmarks,
            presence,
            camera=camera,
            identity_modes=len(self.face_model.identity_basis),
        )
        parameters = fit_landmarks(self.landmarks, targets, start, settings=self.settings.landmarks)
        photometric = self.settings.photometric
        if patches is None or self.samples is None or photometric is None:
            return self._result(landmarks, parameters, camera=camera, patches=None, observation=None)
        parameters = refine(
            self.samples,
            self.face_model,
            patches,
            parameters,
            landmarks=(self.landmarks, targets),
            priors=clip_priors(self.landmarks, frames=len(landmarks), settings=self.settings.landmarks),
            settings=photometric,
        )
        observation = look(
            self.samples,
            patches,
            parameters,
            center=targets.center,
            unhidden=visible_samples(self.face_model, self.samples.vertices, parameters),
            settings=photometric,
        )
        return self._result(landmarks, parameters, camera=camera, patches=patches, observation=observation)

    def _result(
        self,
        landmarks: Float32,
        parameters: Parameters,
        *,
        camera: Camera,
        patches: Patches | None,
        observation: SkinObservation | None,
    ) -> ClipFit:
        fitted = fitted_landmarks(self.face_model, parameters, camera)
        expected = fitted.copy()
        expected[:, self.landmarks.ids] += detector_offsets_px(
            self.landmarks, parameters, unit_px=eye_distance_px(landmarks)
        )
        figures = frame_figures(landmarks, expected, parameters, observation, used=self.landmarks.ids)
        appearance, inlier = None, None
        if self.samples is not None and patches is not None and observation is not None:
            center = (camera.center_x_px, camera.center_y_px)
            appearance = skin_appearance(
                self.samples, patches, parameters, center=center, observation=observation
            )
            inlier = vertex_inliers(
                self.face_model,
                patches,
                parameters,
                center=center,
                lighting=appearance.lighting,
                settings=self.settings.inliers,
            )
        return ClipFit(
            parameters=parameters,
            figures=figures,
            verdict=judge_frames(figures, self.settings.quality),
            appearance=appearance,
            vertex_inlier=inlier,
            used_landmarks=self.landmarks.ids,
            apertures_px=np.stack([apertures(fitted), apertures(landmarks)], axis=2),
        )


def clip_fitter(face_model: FaceModel, settings: FitSettings) -> ClipFitter:
    """Prepare a face model for fitting."""
    photometric = settings.photometric
    return ClipFitter(
        face_model=face_model,
        landmarks=landmark_model(face_model),
        samples=None
        if photometric is None
        else skin_samples(
            face_model,
            count=photometric.samples,
            clearance_m=photometric.clearance_m,
            patterns=photometric.patterns,
        ),
        settings=settings,
    )


def fitted_landmarks(face_model: FaceModel, parameters: Parameters, camera: Camera) -> Float32:
    """The fitted face model's landmarks in the picture, (N, 478, 2) px; NaN where not embedded."""
    corners = face_model.triangles[face_model.landmark_triangles].ravel()
    # Only the corners of the landmarks' triangles are evaluated, not the whole mesh.
    neutral = face_model.mean[corners] + np.tensordot(
        parameters.identity, face_model.identity_basis[:, corners], axes=1
    )
    moves = face_model.expression_basis[:, corners].reshape(len(face_model.expression_basis), -1)
    weights = face_model.landmark_barycentrics
    result = np.empty((len(parameters.expression), len(weights), 2), np.float32)
    for part in chunks(len(result)):
        some = parameters.frames(part)
        moved = (some.expression.astype(np.float32) @ moves).reshape(-1, len(weights), 3, 3)
        points = np.einsum("lk,nlkc->nlc", weights, neutral.reshape(-1, 3, 3) + moved)
        turned = np.matmul(points, rotation_matrices(some.rotation).transpose(0, 2, 1))
        result[part] = camera.project(turned + some.translation_m[:, None])
    result[:, face_model.landmark_triangles < 0] = np.nan
    return result


def frame_figures(
    landmarks: Float32,
    fitted: Float32,
    parameters: Parameters,
    observation: SkinObservation | None,
    *,
    used: NDArray[np.int32],
) -> FrameFigures:
    """Figures that tell whether each frame was tracked.

    Args:
        landmarks: detected landmarks, (N, 478, 3) px.
        fitted: positions where the detector is expected to show the fitted landmarks, (N, 478, 2) px.
        parameters: parameters of the fit.
        observation: brightness of the skin samples; None = landmarks alone.
        used: ids of the landmarks to compare.
    """
    square = ((fitted[:, used] - landmarks[:, used, :2]) ** 2).sum(axis=2).mean(axis=1)
    turn = np.zeros(len(landmarks))
    if len(turn) > 2:
        # The second difference of rotation vectors is an angular acceleration as long as turns are small.
        turn[1:-1] = np.linalg.norm(np.diff(parameters.rotation, 2, axis=0), axis=1)
    photometric = np.zeros(len(landmarks)) if observation is None else observation.frame_errors()
    return FrameFigures(
        landmark_error=(np.sqrt(square) / image_eye_distance_px(landmarks)).astype(np.float32),
        photometric_error=photometric.astype(np.float32),
        expression_energy=(parameters.expression**2).mean(axis=1).astype(np.float32),
        turn_deg=np.degrees(turn).astype(np.float32),
    )


def image_eye_distance_px(landmarks: Float32) -> float:
    """Mean distance of the outer eye corners in the image, px: the usual unit of landmark errors."""
    right, left = EYE_CORNERS
    return float(np.linalg.norm(landmarks[:, right, :2] - landmarks[:, left, :2], axis=-1).mean())
