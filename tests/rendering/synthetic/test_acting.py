import numpy as np
import pytest

from rendering.builtin.head import EXPRESSION_NAMES, FULL_EXPRESSION
from rendering.synthetic.acting import act, expression_coefficients
from rendering.synthetic.talking_head import Speaker, motion

TIMES_S = np.arange(75) / 25


def test_named_expressions_go_to_their_modes() -> None:
    coefficients = expression_coefficients({"jaw_open": np.array([0, 0.5, 1]), "blink_left": 1.0}, frames=3)
    assert coefficients.shape == (3, 25)
    assert np.array_equal(
        coefficients[:, EXPRESSION_NAMES.index("jaw_open")], FULL_EXPRESSION * np.float32([0, 0.5, 1])
    )
    assert (coefficients[:, EXPRESSION_NAMES.index("blink_left")] == FULL_EXPRESSION).all()
    assert np.count_nonzero(coefficients) == 5
    with pytest.raises(KeyError, match="wink"):
        expression_coefficients({"wink": 1.0}, frames=1)


def test_a_performance_is_acted() -> None:
    acted = motion(Speaker(seed=1, duration_s=3.0, yaw_deg=0.0, pitch_hz=100.0, smile=0.3), TIMES_S)
    coefficients = act(acted)
    assert coefficients.shape == (75, 25)
    assert np.corrcoef(coefficients[:, EXPRESSION_NAMES.index("jaw_open")], acted.jaw)[0, 1] > 0.999
    pucker, stretch = (
        coefficients[:, EXPRESSION_NAMES.index(n)] for n in ("lips_pucker", "lips_stretch_left")
    )
    assert pucker.max() > 0
    assert stretch.max() > 0
    assert (pucker * stretch == 0).all()  # rounded or spread, never both
    assert coefficients.min() >= 0
    assert coefficients.max() <= FULL_EXPRESSION
