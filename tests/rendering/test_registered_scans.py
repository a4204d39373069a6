import numpy as np

from rendering.registered_scans import aligned_subjects, expression_delta, identity_modes, mean_by_name


def turned(points, angle, *, scale=1.0, shift=(0, 0, 0)):
    cosine, sine = np.cos(angle), np.sin(angle)
    turn = np.array([[cosine, sine, 0], [-sine, cosine, 0], [0, 0, 1]])
    return scale * points @ turn + shift


def test_pose_and_size_are_taken_away():
    shape = np.random.default_rng(0).standard_normal((30, 3))
    _, aligned, scales = aligned_subjects([shape, turned(shape, 0.4, scale=1.3, shift=(1, 2, 3))])
    np.testing.assert_allclose(aligned[0], aligned[1], atol=1e-6)
    np.testing.assert_allclose(scales[0] / scales[1], 1.3)


def test_modes_reproduce_the_sample_covariance():
    shapes = np.random.default_rng(1).standard_normal((5, 20, 3)).astype(np.float32)
    mean = shapes.mean(axis=0)
    modes = identity_modes(shapes, mean).reshape(5, -1)
    np.testing.assert_allclose(modes.T @ modes, np.cov(shapes.reshape(5, -1).T), atol=1e-5)


def test_an_expression_is_what_moved_not_how_the_head_was_held():
    random = np.random.default_rng(2)
    neutral = random.standard_normal((60, 3))
    smiling = neutral.copy()
    smiling[:15] += (0.0, 0.3, 0.0)
    _, aligned, scales = aligned_subjects([neutral, random.standard_normal((60, 3))])
    delta = expression_delta(turned(smiling, 0.1, shift=(0.2, 0, 0)), neutral, aligned[0], scales[0])
    np.testing.assert_allclose(delta[15:], 0.0, atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(delta[:15], axis=1), 0.3 * scales[0], rtol=1e-3)


def test_expressions_are_averaged_by_name_in_order():
    ones = np.ones((4, 3), np.float32)
    means = mean_by_name({"b": [ones], "a": [ones, 3 * ones]})
    np.testing.assert_allclose(means, np.stack([2 * ones, ones]))
