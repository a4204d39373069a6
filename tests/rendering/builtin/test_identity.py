import numpy as np

from rendering.builtin.identity import IDENTITY, Stretch, Swell, displacement
from rendering.builtin.parts import BodyPart


def test_outwards_is_to_both_sides_and_nothing_leaves_the_middle():
    sites = np.array([[30.0, 0, 80], [-30, 0, 80], [0, 0, 80]])
    moved = displacement((Swell((30, 0, 80), (20, 20, 20), (2.0, 1.0, 0)),), sites, np.zeros(3))
    np.testing.assert_allclose(moved[0] * [-1, 1, 1], moved[1], atol=1e-12)
    assert moved[0, 0] > 1.9
    assert moved[2, 0] == 0.0


def test_stretching_starts_where_it_says_and_shoulders_stay():
    sites = np.array([[10.0, 100, 0], [10, 0, 0], [10, 100, 0]])
    parts = np.array([BodyPart.SKIN, BodyPart.SKIN, BodyPart.SHOULDERS])
    moved = displacement((Stretch((0.1, 0.1, 0), about=(0, 0, 0), above=40.0),), sites, parts)
    np.testing.assert_allclose(moved, [[1, 10, 0], [0, 0, 0], [0, 0, 0]])


def test_there_are_fifty():
    assert len(IDENTITY) == 50
