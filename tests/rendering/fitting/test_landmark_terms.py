from dataclasses import replace

import numpy as np
import pytest

from rendering.fitting.landmark_model import landmark_model
from rendering.fitting.landmark_terms import add_landmarks
from rendering.fitting.landmarks_solver import landmark_targets
from rendering.fitting.parameters import NormalEquations, Parameters
from rendering.fitting.rotations import rotation_matrix
from rendering.fitting.settings import LandmarkFitSettings
from tests.rendering.fitting.toy_face import CAMERA, head_points


@pytest.fixture(scope="module")
def model(face_model):
    return landmark_model(face_model)


@pytest.fixture(scope="module")
def targets(model, clip):
    noisy = clip.landmarks + np.random.default_rng(0).normal(size=clip.landmarks.shape).astype(np.float32)
    whole = landmark_targets(model, noisy, clip.presence, camera=CAMERA, settings=LandmarkFitSettings())
    return replace(whole.frames(np.array([4, 7])), robust_scale=1e9, contour_sigma_px=np.inf)


def residuals(model, targets, parameters, frame, weights):
    """The same residuals, written plainly."""
    turned = head_points(model.moving, parameters)[frame] @ rotation_matrix(parameters.rotation[frame]).T
    depth, focal = np.exp(parameters.position[frame, 2]), np.exp(parameters.log_focal)
    z = turned[:, 2] + depth
    error = np.stack(
        [
            focal * (turned[:, 0] + parameters.position[frame, 0] * depth) / z + CAMERA.center_x_px,
            focal * (turned[:, 1] + parameters.position[frame, 1] * depth) / z + CAMERA.center_y_px,
        ],
        axis=1,
    )
    error -= targets.points[frame]
    root = np.sqrt(weights[:, None])
    pairs = error[model.pairs[:, 0], :2] - error[model.pairs[:, 1], :2]
    pair_root = np.sqrt(weights[model.pairs].min(axis=1))[:, None]
    parts = [
        root * error[:, :2] / targets.point_sigma_px,
        pair_root * pairs / targets.pair_sigma_px,
    ]
    return np.sqrt(targets.share) * np.concatenate([part.ravel() for part in parts])


def moved(parameters, frame, step):
    frames = np.zeros((len(parameters.expression), 31))
    frames[frame] = step[:31]
    return parameters.moved(frames, step[31:])


def test_normal_equations_are_those_of_finite_differences(model, targets, clip):
    parameters = clip.parameters.frames(np.array([5, 8]))
    equations = NormalEquations.zeros(parameters)
    weights = add_landmarks(equations, model, targets, parameters).astype(np.float64)
    shared = np.zeros_like(equations.shared)
    for frame in range(2):
        columns = [
            residuals(model, targets, moved(parameters, frame, step), frame, weights[frame])
            - residuals(model, targets, moved(parameters, frame, -step), frame, weights[frame])
            for step in np.eye(82) * 1e-6
        ]
        jacobian = np.stack(columns, axis=1) / 2e-6
        gradient = jacobian.T @ residuals(model, targets, parameters, frame, weights[frame])
        dense = jacobian.T @ jacobian
        scale = np.sqrt(np.outer(np.diag(dense), np.diag(dense)))
        assert np.abs(equations.frame[frame] - dense[:31, :31]).max() < 1e-5 * scale[:31, :31].max()
        assert (np.abs(equations.coupling[frame] - dense[:31, 31:]) / scale[:31, 31:]).max() < 1e-4
        assert equations.frame_gradient[frame] == pytest.approx(
            gradient[:31], rel=1e-3, abs=1e-4 * np.abs(gradient).max()
        )
        shared += dense[31:, 31:]
    assert equations.shared == pytest.approx(shared, abs=1e-4 * np.abs(shared).max())


def test_an_outlier_loses_its_weight(model, targets, clip):
    parameters = clip.parameters.frames(np.array([4, 7]))
    points = targets.points.copy()
    points[0, 10, 0] += 80
    robust = replace(targets, points=points, robust_scale=2.0)
    weights = add_landmarks(NormalEquations.zeros(parameters), model, robust, parameters)
    assert weights[0, 10] < 0.1 * weights[1, 10]


def test_landmarks_turned_away_lose_weight(model, targets, clip):
    turned = replace(
        clip.parameters.frames(np.array([4, 7])), rotation=np.array([[0.0, 0.8, 0.0], [0.0, 0.0, 0.0]])
    )
    weights = add_landmarks(NormalEquations.zeros(turned), model, targets, turned)
    side = np.argmax(model.moving.mean[:, 0])
    assert min(weights[0, side], weights[0, np.argmin(model.moving.mean[:, 0])]) < 0.5 * weights[1, side]


def test_absent_frames_say_nothing(model, targets, clip):
    parameters: Parameters = clip.parameters.frames(np.array([4, 7]))
    equations = NormalEquations.zeros(parameters)
    add_landmarks(equations, model, replace(targets, presence=np.array([0.0, 1.0])), parameters)
    assert not equations.frame[0].any()
    assert equations.frame[1].any()
