from dataclasses import replace

import numpy as np
import pytest

from rendering.fitting.contour import contour_model, contour_rows
from rendering.fitting.parameters import NormalEquations
from rendering.fitting.rotations import rotation_matrix
from rendering.normals import vertex_normals
from tests.rendering.fitting.toy_face import CAMERA, head_points, posed_vertices

CENTER = (CAMERA.center_x_px, CAMERA.center_y_px)


@pytest.fixture(scope="module")
def model(face_model):
    # the toy face is a shallow relief: let its rim count as an outline
    found = contour_model(face_model, vertex_normals(face_model.mean[None], face_model.triangles)[0])
    return replace(found, normals=np.tile([1.0, 0.0, 0.0], (len(found.moving.mean), 1)))


def equations_for(model, parameters, targets):
    equations = NormalEquations.zeros(parameters)
    rows = contour_rows(
        model,
        parameters,
        targets=targets,
        presence=np.ones(len(targets)),
        center=CENTER,
        sigma_px=2.0,
        robust_scale=1e9,
        share=1.0,
    )
    equations.add_rows(slice(None), rows)
    return equations


@pytest.fixture(scope="module")
def one(clip):
    return clip.parameters.frames(slice(3, 4))


def test_every_jaw_landmark_has_candidates_near_its_direction(model):
    assert len(model.ids) == 13
    assert (np.diff(model.first) > 3).all()
    assert len(model.moving.mean) == model.first[-1]


def test_gradient_pulls_the_outline_towards_the_landmarks(model, face_model, one):
    seen = face_model.landmark_points(posed_vertices(face_model, one).astype(np.float32))
    middle = CAMERA.project(posed_vertices(face_model, one)[0].mean(axis=0))
    away = CAMERA.project(seen)[:, model.ids] - middle
    wide = equations_for(model, one, middle + 1.5 * away)
    narrow = equations_for(model, one, middle + 0.5 * away)
    depth_column = 30  # log z: moving nearer widens the outline
    assert wide.frame_gradient[0, depth_column] > 0  # descent makes log z smaller
    assert narrow.frame_gradient[0, depth_column] < 0


def test_normal_equations_are_those_of_finite_differences(model, face_model, one):
    random = np.random.default_rng(0)
    targets = CAMERA.project(face_model.mean[model.first[:-1]][None] + [0, 0, 0.7]) + random.normal(
        scale=5, size=(1, len(model.ids), 2)
    )

    def pixels(parameters, head):
        turned = head @ rotation_matrix(parameters.rotation[0]).T + parameters.translation_m[0]
        return np.exp(parameters.log_focal) * turned[:, :2] / turned[:, 2:] + CENTER

    direction = targets[0] - pixels(one, model.middle[None])[0]
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    seen = pixels(one, head_points(model.moving, one)[0])
    best = [
        first + np.argmax(seen[first:last] @ outwards)
        for first, last, outwards in zip(model.first, model.first[1:], direction, strict=False)
    ]

    def residual(step):
        moved = one.moved(step[None, :31], step[31:])
        head = head_points(model.moving, moved)[0]
        return ((pixels(moved, head[best]) - targets[0]) * direction).sum(axis=1) / 2.0

    jacobian = np.stack([(residual(s) - residual(-s)) / 2e-6 for s in np.eye(82) * 1e-6], axis=1)
    dense, pull = jacobian.T @ jacobian, jacobian.T @ residual(np.zeros(82))
    found = equations_for(model, one, targets)
    scale = np.sqrt(np.outer(np.diag(dense), np.diag(dense))) + 1e-9
    assert np.abs((found.frame[0] - dense[:31, :31]) / scale[:31, :31]).max() < 1e-3
    assert np.abs((found.shared - dense[31:, 31:]) / scale[31:, 31:]).max() < 1e-3
    assert found.frame_gradient[0] == pytest.approx(pull[:31], abs=1e-3 * np.abs(pull).max())


def test_vertices_that_face_the_camera_are_no_outline(model, one, face_model):
    facing = replace(model, normals=np.tile([0.0, 0.0, -1.0], (len(model.moving.mean), 1)))
    frontal = replace(one, rotation=np.zeros((1, 3)))
    targets = np.full((1, len(model.ids), 2), 300.0)
    assert not equations_for(facing, frontal, targets).frame.any()
