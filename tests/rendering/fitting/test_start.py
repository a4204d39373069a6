import numpy as np
import pytest

from rendering.fitting.landmark_model import landmark_model
from rendering.fitting.start import start_parameters
from tests.rendering.fitting.toy_face import CAMERA


@pytest.fixture
def start(face_model):
    model = landmark_model(face_model)

    def from_landmarks(landmarks, presence):
        return start_parameters(model, landmarks, presence, camera=CAMERA, identity_modes=50)

    return from_landmarks


def test_pose_is_near_the_truth(start, clip):
    found = start(clip.landmarks, clip.presence)
    assert found.rotation == pytest.approx(clip.parameters.rotation, abs=np.radians(8))
    assert found.position[:, 2] == pytest.approx(clip.parameters.position[:, 2], abs=0.25)
    assert not found.identity.any()


def between(parameters, frame):
    return parameters.rotation[[frame - 1, frame + 1]].mean(axis=0)


def test_a_frame_that_is_no_face_takes_its_neighbours_pose(start, clip):
    spoilt = clip.landmarks.copy()
    order = np.random.default_rng(0).permutation(468)
    spoilt[7, :468] = spoilt[7, order]
    found = start(spoilt, clip.presence)
    assert found.rotation[7] == pytest.approx(between(found, 7), abs=1e-6)


def test_a_mirrored_frame_is_no_face_though_its_size_is_right(start, clip):
    spoilt = clip.landmarks.copy()
    spoilt[7, :, 2] *= -3
    found = start(spoilt, clip.presence)
    assert found.rotation[7] == pytest.approx(between(found, 7), abs=1e-6)


def test_an_absent_frame_takes_its_neighbours_pose(start, clip):
    presence = clip.presence.copy()
    presence[7] = 0
    found = start(clip.landmarks, presence)
    assert found.rotation[7] == pytest.approx(between(found, 7), abs=1e-6)
