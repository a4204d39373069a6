import numpy as np
import pytest

from rendering.fitting.arrow_solver import second_difference_gradient, second_differences, solve_arrow
from rendering.fitting.parameters import NormalEquations

FRAMES, SIZE, SHARED = 6, 4, 5


@pytest.fixture
def equations():
    random = np.random.default_rng(0)
    rows = random.normal(size=(FRAMES, 30, SIZE + SHARED))
    residual = random.normal(size=(FRAMES, 30))
    dense = np.einsum("nri,nrj->nij", rows, rows)
    gradient = np.einsum("nri,nr->ni", rows, residual)
    return NormalEquations(
        frame=dense[:, :SIZE, :SIZE].astype(np.float32),
        coupling=dense[:, :SIZE, SIZE:].astype(np.float32),
        shared=dense[:, SIZE:, SIZE:].sum(axis=0),
        frame_gradient=gradient[:, :SIZE],
        shared_gradient=gradient[:, SIZE:].sum(axis=0),
    )


def dense_system(equations, weights):
    size = FRAMES * SIZE
    matrix = np.zeros((size + SHARED, size + SHARED))
    for frame in range(FRAMES):
        own = slice(frame * SIZE, (frame + 1) * SIZE)
        matrix[own, own] = equations.frame[frame]
        matrix[own, size:] = equations.coupling[frame]
        matrix[size:, own] = equations.coupling[frame].T
    matrix[size:, size:] = equations.shared
    difference = np.kron(np.diff(np.eye(FRAMES), 2, axis=0), np.eye(SIZE))
    matrix[:size, :size] += difference.T @ (weights.reshape(-1, 1) * difference)
    gradient = np.concatenate([equations.frame_gradient.ravel(), equations.shared_gradient])
    return matrix, gradient


def test_step_is_the_dense_solution(equations):
    weights = np.random.default_rng(1).uniform(1, 50, (FRAMES - 2, SIZE))
    matrix, gradient = dense_system(equations, weights)
    expected = -np.linalg.solve(matrix, gradient)
    step = solve_arrow(equations, smoothness=weights, shared_free=slice(0, SHARED))
    assert np.concatenate([step.frame.ravel(), step.shared]) == pytest.approx(expected, abs=1e-9)


def test_held_parameters_do_not_move_and_the_others_move_as_if_they_were_not_there(equations):
    weights = np.ones((FRAMES - 2, SIZE))
    matrix, gradient = dense_system(equations, weights)
    expected = -np.linalg.solve(matrix[:-1, :-1], gradient[:-1])
    step = solve_arrow(equations, smoothness=weights, shared_free=slice(0, SHARED - 1))
    assert step.shared[-1] == 0
    assert np.concatenate([step.frame.ravel(), step.shared[:-1]]) == pytest.approx(expected, abs=1e-9)


def test_schur_is_the_curvature_left_for_the_shared(equations):
    weights = np.zeros((FRAMES - 2, SIZE))
    matrix, _ = dense_system(equations, weights)
    inverse = np.linalg.inv(matrix)
    step = solve_arrow(equations, smoothness=weights, shared_free=slice(0, SHARED))
    assert np.linalg.inv(step.schur) == pytest.approx(inverse[-SHARED:, -SHARED:], rel=1e-6)
    assert -np.linalg.solve(step.schur, step.gradient) == pytest.approx(step.shared)


@pytest.mark.parametrize("frames", [1, 2])
def test_short_clips_have_no_second_difference(frames):
    vector = np.ones((frames, SIZE))
    assert second_differences(vector).shape == (0, SIZE)
    assert not second_difference_gradient(vector, np.ones((0, SIZE))).any()


def test_linear_motion_has_no_smoothness_gradient():
    vector = np.arange(FRAMES)[:, None] * np.ones(SIZE)
    assert second_difference_gradient(vector, np.ones((FRAMES - 2, SIZE))) == pytest.approx(0, abs=1e-12)
