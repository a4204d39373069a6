import numpy as np
import pytest

from rendering.fitting.skin_samples import neutral_normals, skin_samples
from rendering.normals import vertex_normals


@pytest.fixture(scope="module")
def samples(face_model):
    return skin_samples(face_model, count=200, clearance_m=0.0)


def mesh_normals(face_model, samples, identity, expression):
    vertices = face_model.vertices(identity.astype(np.float32), expression.astype(np.float32))
    return vertex_normals(vertices, face_model.triangles)[:, samples.vertices]


def test_neutral_normals_are_the_mesh_s(face_model, samples, clip):
    normals, _ = neutral_normals(samples, clip.parameters.identity)
    expected = mesh_normals(face_model, samples, clip.parameters.identity, np.zeros((1, 25)))[0]
    assert normals == pytest.approx(expected, abs=1e-4)


def test_their_derivative_predicts_small_expressions(face_model, samples, clip):
    normals, basis = neutral_normals(samples, clip.parameters.identity)
    expression = 0.05 * np.random.default_rng(0).normal(size=(1, 25))
    moved = normals + basis @ expression[0]
    moved /= np.linalg.norm(moved, axis=1, keepdims=True)
    expected = mesh_normals(face_model, samples, clip.parameters.identity, expression)[0]
    change = np.abs(expected - normals).max()
    assert np.abs(moved - expected).max() < 0.05 * change
