import numpy as np
import pytest

from rendering.detector_bias import TERMS, expected_offsets, learn_bias, view_polynomial
from rendering.fitting.rotations import rotation_matrices


def poses(count, *, roll=0.0, seed=0):
    random = np.random.default_rng(seed)
    vectors = np.stack([random.uniform(-0.3, 0.3, count), random.uniform(-0.6, 0.6, count)], axis=1)
    rotations = rotation_matrices(np.concatenate([vectors, np.zeros((count, 1))], axis=1))
    rotations = rotation_matrices(np.tile([0.0, 0.0, roll], (count, 1))) @ rotations
    return -rotations[:, 2], rotations  # the camera is at the head's -z, far away


def coefficients(landmarks=5):
    return 0.05 * np.random.default_rng(1).normal(size=(TERMS, landmarks, 2))


def test_the_bias_is_learnt_in_spite_of_renders_in_which_the_detector_erred():
    directions, rotations = poses(200)
    offsets = expected_offsets(coefficients(), directions, rotations)
    offsets[::20] += 1.0
    learnt = learn_bias(offsets, directions, rotations)
    assert learnt == pytest.approx(coefficients(), abs=1e-4)


def test_landmarks_that_are_not_embedded_have_no_bias():
    directions, rotations = poses(100)
    offsets = expected_offsets(coefficients(), directions, rotations)
    offsets[:, 3] = np.nan
    learnt = learn_bias(offsets, directions, rotations)
    assert (learnt[:, 3] == 0).all()
    assert learnt[:, 4] == pytest.approx(coefficients()[:, 4], abs=1e-4)


def test_offsets_turn_with_the_head_in_the_image():
    directions, rotations = poses(10)
    upright = expected_offsets(coefficients(), directions, rotations)
    same, turned = poses(10, roll=0.5)
    assert same == pytest.approx(directions)
    turn = np.array([[np.cos(0.5), -np.sin(0.5)], [np.sin(0.5), np.cos(0.5)]])
    assert expected_offsets(coefficients(), same, turned) == pytest.approx(upright @ turn.T)


def test_beyond_the_renders_the_bias_stays_what_it_was_at_their_border():
    far = np.array([[0.95, 0.0, -0.31], [0.7, 0.0, -0.71]])
    assert view_polynomial(far)[0] == pytest.approx(view_polynomial(far)[1])


def test_too_few_renders_are_an_error():
    directions, rotations = poses(20)
    with pytest.raises(ValueError, match="20 renders"):
        learn_bias(np.zeros((20, 5, 2)), directions, rotations)
