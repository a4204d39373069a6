import numpy as np
import pytest

from rendering.fitting.clip import clip_fitter, fitted_landmarks
from rendering.fitting.settings import FitSettings, QualitySettings
from tests.rendering.fitting.toy_face import CAMERA


@pytest.fixture(scope="module")
def fitter(face_model):
    return clip_fitter(face_model, FitSettings(photometric=None))


@pytest.fixture(scope="module")
def fit(fitter, clip):
    return fitter.fit(clip.landmarks, clip.presence, camera=CAMERA, patches=None)


def test_a_clean_clip_is_kept_whole(fit, clip):
    assert fit.verdict.frames == len(clip.landmarks)
    assert fit.figures.landmark_error.max() < 0.02


def test_arrays_have_the_shapes_of_the_contract(fit, clip):
    arrays = fit.arrays()
    frames = len(clip.landmarks)
    assert {name: array.shape for name, array in arrays.items()} == {
        "identity": (50,),
        "expression": (frames, 25),
        "rotation": (frames, 3),
        "translation": (frames, 3),
        "focal_px": (),
        "landmark_error": (frames,),
        "photometric_error": (frames,),
        "used_landmarks": (len(fit.used_landmarks),),
        "apertures_px": (frames, 3, 2),
    }
    assert arrays["focal_px"] == pytest.approx(CAMERA.focal_x_px)
    assert len(fit.used_landmarks) >= 400


def test_fitted_landmarks_are_projected_model_points(face_model, fit, clip):
    shown = fitted_landmarks(face_model, clip.parameters, CAMERA)
    assert shown[:, :468] == pytest.approx(clip.landmarks[:, :468, :2], abs=0.01)
    assert np.isnan(shown[:, 468:]).all()


def test_apertures_of_fit_and_detection_agree_on_a_clean_clip(fit):
    fitted, detected = fit.apertures_px[..., 0], fit.apertures_px[..., 1]
    assert fitted == pytest.approx(detected, abs=1.0)


def test_a_lost_face_splits_the_clip(fitter, clip):
    spoilt = clip.landmarks.copy()
    spoilt[6:9, :, :2] = np.random.default_rng(0).uniform(50, 450, (3, 478, 2))
    verdict = fitter.fit(spoilt, clip.presence, camera=CAMERA, patches=None).verdict
    assert verdict.failed[6:9].all()
    assert verdict.first_frame >= 9
    assert verdict.first_frame + verdict.frames == len(clip.landmarks)
    assert "landmark error" in verdict.detail


def test_limits_are_settings(face_model, clip):
    strict = FitSettings(photometric=None, quality=QualitySettings(expression_energy=1e-6))
    fit = clip_fitter(face_model, strict).fit(clip.landmarks, clip.presence, camera=CAMERA, patches=None)
    assert fit.verdict.frames == 0
