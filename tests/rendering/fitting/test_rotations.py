import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from rendering.fitting.rotations import right_jacobian, rotation_matrices, rotation_matrix, rotation_vector

VECTORS = [np.zeros(3), np.array([1e-8, 0, 0]), np.array([1e-5, -2e-5, 0]), np.array([0.3, -0.7, 0.2])]


@pytest.mark.parametrize("vector", VECTORS)
def test_matrix_is_the_exponential(vector):
    assert rotation_matrix(vector) == pytest.approx(Rotation.from_rotvec(vector).as_matrix(), abs=1e-12)


@pytest.mark.parametrize("vector", VECTORS)
def test_vector_and_matrix_are_inverse(vector):
    assert rotation_vector(rotation_matrix(vector)) == pytest.approx(vector, abs=1e-9)


@pytest.mark.parametrize("vector", VECTORS)
def test_right_jacobian_is_the_derivative(vector):
    point = np.array([0.1, -0.4, 0.9])
    skew = np.cross(np.eye(3), point)  # antisymmetric: rows e_i x p are columns p x e_i
    analytic = -rotation_matrix(vector) @ skew @ right_jacobian(vector)
    for axis, step in enumerate(np.eye(3) * 1e-6):
        change = (rotation_matrix(vector + step) - rotation_matrix(vector - step)) @ point / 2e-6
        assert analytic[:, axis] == pytest.approx(change, abs=1e-7)


def test_matrices_are_row_by_row():
    stacked = rotation_matrices(np.stack(VECTORS))
    assert stacked.shape == (4, 3, 3)
    assert np.array_equal(stacked[3], rotation_matrix(VECTORS[3]))
