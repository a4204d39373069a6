import numpy as np

from rendering.polygon import inside_polygon


def test_even_odd_rule():
    square = np.array([[0, 0], [2, 0], [2, 2], [0, 2]], float)
    inside = inside_polygon(np.array([[1.0, 1.0], [3, 1], [1, -1], [0.1, 1.9]]), square)
    assert inside.tolist() == [True, False, False, True]


def test_a_notch_is_outside_and_the_winding_does_not_matter():
    arrow = np.array([[0, 0], [4, 2], [0, 4], [1.5, 2]], float)
    points = np.array([[0.5, 2.0], [2.0, 2.0]])
    assert inside_polygon(points, arrow).tolist() == [False, True]
    assert inside_polygon(points, arrow[::-1]).tolist() == [False, True]
