import numpy as np
import pytest

from rendering.fitting.moving_points import moving_points
from tests.rendering.fitting.toy_face import head_points

MODES = 25


@pytest.fixture
def moving(face_model):
    return moving_points(face_model.mean, face_model.expression_basis, face_model.identity_basis)


def test_points_are_the_face_model_s_vertices(moving, face_model, clip):
    found = moving.points(clip.parameters.identity, clip.parameters.expression)
    assert found == pytest.approx(head_points(moving, clip.parameters), abs=1e-8)
    expected = face_model.vertices(
        clip.parameters.identity.astype(np.float32), clip.parameters.expression.astype(np.float32)
    )
    assert found == pytest.approx(expected, abs=1e-6)


def test_lines_hold_every_mode_around_the_pose(moving):
    modes = np.concatenate([moving.lines[:, :, :MODES], moving.lines[:, :, MODES + 6 : -2]], axis=2)
    flat = np.concatenate([moving.expression, moving.identity])
    assert np.array_equal(modes.reshape(-1, len(flat)).T, flat)
    assert not moving.lines[:, :, MODES : MODES + 6].any()
    assert not moving.lines[:, :, -2:].any()
