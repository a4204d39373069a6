import numpy as np

from rendering.builtin.skull import BOTTOM_ROW, TOP_MM, Skull


def test_a_front_point_comes_back():
    skull = Skull()
    x, y = np.array([0.0, 20, 45, 12]), np.array([0.0, -69, 10, -110])
    theta, row = skull.parameters(x, y)
    np.testing.assert_allclose(skull.points(theta, row)[:, :2], np.stack([x, y], axis=1), atol=0.02)


def test_sides_are_mirrored_and_the_crown_is_closed():
    skull = Skull()
    theta, row = np.array([0.3, -0.3, 2.0]), np.array([10.0, 10.0, TOP_MM])
    points = skull.points(theta, row)
    np.testing.assert_allclose(points[0] * [-1, 1, 1], points[1])
    assert np.hypot(points[2, 0], points[2, 2]) < 8.0


def test_a_head_has_human_size():
    skull = Skull()
    theta = np.linspace(-np.pi, np.pi, 181)
    rows = np.linspace(BOTTOM_ROW, TOP_MM, 150)
    points = skull.points(np.tile(theta, 150), np.repeat(rows, 181))
    head = points[points[:, 1] > -100]
    assert 140 < np.ptp(head[:, 0]) < 165
    assert 180 < np.ptp(head[:, 2]) < 215
