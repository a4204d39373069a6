import numpy as np
import pytest

from rendering.fitting.focal import ClipLandmarks, estimate_focal, prior_focal_px
from rendering.fitting.settings import FocalSettings, LandmarkFitSettings
from tests.rendering.fitting.toy_face import CAMERA, toy_clip

PRECISE = FocalSettings(
    landmarks=LandmarkFitSettings(noise=0.0015, pair_noise=0.0015, contour_noise=10.0),
    detector_spread=0.0,
    iterations=14,
)


def estimate(face_model, clips, settings=PRECISE):
    return estimate_focal(
        [ClipLandmarks(points=clip.landmarks, presence=clip.presence) for clip in clips],
        width=CAMERA.width,
        height=CAMERA.height,
        face_model=face_model,
        settings=settings,
    )


def test_a_turning_head_determines_the_focal_length(face_model):
    found = estimate(face_model, [toy_clip(face_model, yaw_deg=35)])
    assert found.observable
    assert found.focal_px == pytest.approx(CAMERA.focal_x_px, rel=0.05)


def test_without_turning_the_prior_is_returned(face_model):
    settings = FocalSettings()
    found = estimate(face_model, [toy_clip(face_model, yaw_deg=2)], settings)
    assert not found.observable
    assert found.focal_px == prior_focal_px(CAMERA.width, CAMERA.height, settings)


def test_a_biased_detector_determines_nothing_however_far_the_head_turns(face_model):
    """Detected landmarks of a synthetic speaker gave 415 px for 900 px, and called it observable."""
    settings = PRECISE.model_copy(update={"detector_spread": 0.4})
    found = estimate(face_model, [toy_clip(face_model, yaw_deg=35)], settings)
    assert not found.observable
    assert found.focal_px == prior_focal_px(CAMERA.width, CAMERA.height, settings)


def test_curvature_grows_with_the_turn_and_adds_over_clips(face_model):
    still, turning = (toy_clip(face_model, yaw_deg=yaw) for yaw in (3, 30))
    other = toy_clip(face_model, yaw_deg=30, seed=5)
    curvature = [estimate(face_model, clips).curvature for clips in ([still], [turning], [turning, other])]
    assert curvature[0] < 0.8 * curvature[1]
    assert curvature[2] > 1.3 * curvature[1]


def test_prior_follows_the_longer_side():
    settings = FocalSettings(prior_fov_deg=90)
    assert prior_focal_px(1280, 720, settings) == pytest.approx(640)
    assert prior_focal_px(720, 1280, settings) == pytest.approx(640)
    assert np.isclose(prior_focal_px(512, 512, FocalSettings()), 955.4, atol=0.1)
