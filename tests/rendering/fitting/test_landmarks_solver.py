from dataclasses import replace

import numpy as np
import pytest

from rendering.detector_bias import TERMS
from rendering.fitting.clip import clip_fitter
from rendering.fitting.landmark_model import detector_offsets_px, landmark_model
from rendering.fitting.landmarks_solver import eye_distance_px, fit_landmarks, landmark_targets
from rendering.fitting.settings import FitSettings, LandmarkFitSettings
from rendering.fitting.start import start_parameters
from tests.rendering.fitting.toy_face import CAMERA, posed_vertices, seen_landmarks, toy_clip

EXACT = LandmarkFitSettings(
    noise=0.0005,
    pair_noise=0.0005,
    independent_landmarks=400,
    independent_frames=1000,
    key_iterations=8,
    iterations=8,
)


def fit(face_model, landmarks, presence, settings=EXACT):
    model = landmark_model(face_model)
    targets = landmark_targets(model, landmarks, presence, camera=CAMERA, settings=settings)
    start = start_parameters(model, landmarks, presence, camera=CAMERA, identity_modes=50)
    return fit_landmarks(model, targets, start, settings=settings)


def test_recovers_what_the_model_made(face_model, clip):
    fitted = fit(face_model, clip.landmarks, clip.presence)
    assert fitted.rotation == pytest.approx(clip.parameters.rotation, abs=np.radians(0.4))
    assert fitted.translation_m == pytest.approx(clip.parameters.translation_m, abs=0.003)
    error_m = posed_vertices(face_model, fitted) - posed_vertices(face_model, clip.parameters)
    error_m -= error_m.mean(axis=1, keepdims=True)
    inside = np.abs(face_model.mean[:, :2]).max(axis=1) < 0.05
    assert np.sqrt((error_m[:, inside] ** 2).mean()) < 0.0005


def test_same_input_gives_the_same_bits(face_model, clip):
    first, second = (fit(face_model, clip.landmarks, clip.presence) for _ in range(2))
    assert first.identity.tobytes() == second.identity.tobytes()
    assert first.frame_vector().tobytes() == second.frame_vector().tobytes()


def test_corrupt_frames_do_not_move_good_ones(face_model, clip):
    settings = LandmarkFitSettings()
    spoilt = clip.landmarks.copy()
    random = np.random.default_rng(3)
    for frame in (6, 15):
        spoilt[frame, :, :2] = random.uniform(100, 400, (478, 2))
    clean = fit(face_model, clip.landmarks, clip.presence, settings)
    robust = fit(face_model, spoilt, clip.presence, settings)
    far = [0, 1, 2, 10, 11, 19, 20, 21, 22, 23]
    shown = (
        seen_landmarks(face_model, robust)[far, :468, :2] - seen_landmarks(face_model, clean)[far, :468, :2]
    )
    assert np.sqrt((shown**2).sum(axis=-1).mean()) < 1.0


def test_absent_frames_follow_their_neighbours(face_model, clip):
    settings = LandmarkFitSettings()
    landmarks, presence = clip.landmarks.copy(), clip.presence.copy()
    landmarks[10] = landmarks[3]
    presence[10] = 0
    fitted = fit(face_model, landmarks, presence, settings)
    between = fitted.rotation[[9, 11]].mean(axis=0)
    assert fitted.rotation[10] == pytest.approx(between, abs=np.radians(1))


def test_noise_shakes_the_fit_less_than_the_landmarks(face_model, clip):
    noise = np.random.default_rng(0).normal(scale=1.5, size=clip.landmarks.shape).astype(np.float32)
    smooth = LandmarkFitSettings(rotation_acceleration=0.001, distance_acceleration=0.0001)
    loose = LandmarkFitSettings(
        rotation_acceleration=10, distance_acceleration=10, expression_acceleration=100
    )
    shaking = [
        np.abs(np.diff(fit(face_model, clip.landmarks + noise, clip.presence, s).position[:, 2], 2)).mean()
        for s in (smooth, loose)
    ]
    assert shaking[0] < 0.2 * shaking[1]


def test_smoothing_leaves_a_linear_motion_alone(face_model):
    still = toy_clip(face_model, frames=12, yaw_deg=0)
    line = np.linspace(-0.2, 0.2, 12)[:, None] * np.array([0.2, 1.0, 0.1])
    position = np.array([0.0, 0.0, np.log(0.7)]) + np.linspace(0, 1, 12)[:, None] * [0.03, 0.02, 0.05]
    parameters = replace(
        still.parameters,
        rotation=line,
        position=position,
        expression=np.zeros_like(still.parameters.expression),
    )
    landmarks = seen_landmarks(face_model, parameters)
    stiff = EXACT.model_copy(
        update={"rotation_acceleration": 1e-5, "shift_acceleration": 1e-5, "distance_acceleration": 1e-5}
    )
    fitted = fit(face_model, landmarks, still.presence, stiff)
    assert fitted.rotation == pytest.approx(line, abs=np.radians(0.4))
    assert np.diff(fitted.position, axis=0) == pytest.approx(np.diff(position, axis=0), abs=1e-3)


def nodding_less(face_model, clip):
    """The face model that knows how its detector errs, and what that detector shows of a clip.

    It nods by almost a third less: landmarks move as on a head turned back, by what they are deep.
    """
    depth = face_model.landmark_points(face_model.mean[None])[0, :, 2]
    bias = np.zeros((TERMS, 478, 2), np.float32)
    bias[1, :, 1] = -0.3 * np.nan_to_num(depth - np.nanmean(depth)) / 0.092
    known = replace(face_model, landmark_bias=bias)
    model = landmark_model(known)
    seen = clip.landmarks.copy()
    unit = eye_distance_px(clip.landmarks)
    seen[:, model.ids, :2] += detector_offsets_px(model, clip.parameters, unit_px=unit)
    return known, seen


def pitch_slope(fitted, clip):
    return np.polyfit(clip.parameters.rotation[:, 0], fitted.rotation[:, 0], 1)[0]


def test_a_detector_that_compresses_pitch_is_expected_to(face_model, clip):
    known, seen = nodding_less(face_model, clip)
    slopes = [
        pitch_slope(fit(model, seen, clip.presence, LandmarkFitSettings(noise=0.005)), clip)
        for model in (face_model, known)
    ]
    assert slopes[0] < 0.93
    assert slopes[1] == pytest.approx(1, abs=0.04)


def test_landmark_errors_are_from_where_the_detector_is_expected_to_show_them(face_model, clip):
    known, seen = nodding_less(face_model, clip)
    settings = FitSettings(landmarks=EXACT, photometric=None)
    errors = [
        clip_fitter(model, settings).fit(seen, clip.presence, camera=CAMERA, patches=None).figures
        for model in (known, face_model)
    ]
    assert np.median(errors[0].landmark_error) < 0.5 * np.median(errors[1].landmark_error)
