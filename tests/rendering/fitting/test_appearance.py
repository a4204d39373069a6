import numpy as np
import pytest

from rendering.fitting.appearance import estimate_albedo


def test_the_skins_own_pattern_does_not_stay_in_the_residuals():
    """What albedo leaves unexplained the pose would have to explain, by turning less."""
    random = np.random.default_rng(0)
    albedo = 1 + 0.3 * random.normal(size=200)
    shading = random.uniform(0.4, 0.7, size=(20, 200)).astype(np.float32)
    found = estimate_albedo(
        (albedo * shading).astype(np.float32), shading, np.ones_like(shading), light=np.zeros(9)
    )
    assert np.polyfit(albedo / albedo.mean(), found.albedo, 1)[0] == pytest.approx(1, abs=0.02)
