import numpy as np
import pytest

from rendering.fitting.slow_shading import explained_by_patterns, smooth_patterns


def test_eliminating_patterns_is_the_schur_complement_of_the_joint_problem():
    random = np.random.default_rng(0)
    rows = random.normal(size=(2, 40, 7)).astype(np.float32)
    patterns = random.normal(size=(2, 40, 3)).astype(np.float32)
    left = np.matmul(rows.transpose(0, 2, 1), rows) - explained_by_patterns(rows, patterns, precision=0.5)
    for frame in range(2):
        joint = np.concatenate([rows[frame], patterns[frame]], axis=1).astype(np.float64)
        joint = joint.T @ joint
        joint[7:, 7:] += 0.5 * np.eye(3)
        schur = joint[:7, :7] - joint[:7, 7:] @ np.linalg.inv(joint[7:, 7:]) @ joint[7:, :7]
        assert left[frame] == pytest.approx(schur, abs=1e-3)


def test_a_smooth_residual_is_explained_and_a_fine_one_is_not():
    x, y = np.meshgrid(np.linspace(-0.07, 0.07, 25), np.linspace(-0.09, 0.09, 25))
    points = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1)
    patterns = smooth_patterns(points, 25)[None]
    assert patterns.shape == (1, 625, 25)
    slow = np.cos(points[:, 0] * 15)[None, :, None].astype(np.float32)
    fine = np.random.default_rng(0).normal(size=slow.shape).astype(np.float32)

    def explained(residual):
        share = explained_by_patterns(residual, patterns, precision=0.01) / (residual**2).sum()
        return float(share[0, 0, 0])

    assert explained(slow) > 0.99
    assert explained(fine) < 0.1
