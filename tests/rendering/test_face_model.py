from dataclasses import replace

import numpy as np
import pytest

from rendering.builtin.head import builtin_head
from rendering.detector_bias import TERMS
from rendering.face_model import FaceModel, face_model_arrays, face_model_from_arrays


@pytest.fixture
def face_model() -> FaceModel:
    return builtin_head().face_model


def test_zero_coefficients_are_the_mean_and_one_is_one_mode(face_model):
    neutral, moved = np.zeros(25, np.float32), np.eye(25, dtype=np.float32)[3]
    vertices = face_model.vertices(np.zeros(50, np.float32), np.stack([neutral, moved]))
    np.testing.assert_allclose(vertices[0], face_model.mean, atol=1e-7)
    np.testing.assert_allclose(vertices[1] - vertices[0], face_model.expression_basis[3], atol=1e-6)


def test_landmarks_are_barycentric_points_and_nan_where_not_embedded(face_model):
    ids = np.full(478, -1, np.int32)
    ids[7] = 11
    weights = np.zeros((478, 3), np.float32)
    weights[7] = (0.5, 0.25, 0.25)
    points = replace(face_model, landmark_triangles=ids, landmark_barycentrics=weights).landmark_points(
        face_model.mean[None]
    )
    corners = face_model.mean[face_model.triangles[11]]
    np.testing.assert_allclose(points[0, 7], weights[7] @ corners, atol=1e-6)
    assert np.isnan(np.delete(points[0], 7, axis=0)).all()


def test_arrays_round_trip(face_model):
    back = face_model_from_arrays(face_model_arrays(face_model))
    assert back.name == face_model.name
    np.testing.assert_array_equal(back.identity_basis, face_model.identity_basis)
    assert back.landmark_bias is None  # as in files of before


def test_the_detectors_bias_is_kept_where_it_is_known(face_model):
    bias = np.random.default_rng(0).normal(size=(TERMS, 478, 2)).astype(np.float32)
    back = face_model_from_arrays(face_model_arrays(replace(face_model, landmark_bias=bias)))
    np.testing.assert_array_equal(back.landmark_bias, bias)


@pytest.mark.parametrize("name", ["mean", "expression_basis", "landmark_barycentrics", "licence"])
def test_a_missing_array_is_named(face_model, name):
    arrays = face_model_arrays(face_model)
    del arrays[name]
    with pytest.raises(ValueError, match=name):
        face_model_from_arrays(arrays)


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("identity_basis", np.zeros((49, 8, 3), np.float32)),
        ("triangles", np.array([[0, 1, 10**6]], np.int32)),
        ("skin_triangles", np.array([-1], np.int32)),
        ("landmark_triangles", np.full(478, 10**6, np.int32)),
        ("landmark_barycentrics", np.full((478, 3), np.nan, np.float32)),
        ("landmark_bias", np.zeros((TERMS, 468, 2), np.float32)),
        ("landmark_bias", np.full((TERMS, 478, 2), np.nan, np.float32)),
    ],
)
def test_a_bad_array_is_named(face_model, name, bad):
    with pytest.raises(ValueError, match=name):
        face_model_from_arrays({**face_model_arrays(face_model), name: bad})
