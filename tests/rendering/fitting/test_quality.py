import numpy as np
import pytest

from rendering.fitting.quality import FrameFigures, judge_frames, longest_run
from rendering.fitting.settings import QualitySettings

SETTINGS = QualitySettings()


def figures(frames=60, **changes):
    arrays = {
        "landmark_error": np.full(frames, 0.02, np.float32),
        "photometric_error": np.full(frames, 0.03, np.float32),
        "expression_energy": np.ones(frames, np.float32),
        "turn_deg": np.ones(frames, np.float32),
    }
    for name, values in changes.items():
        for frame, value in values.items():
            arrays[name][frame] = value
    return FrameFigures(**arrays)


def test_a_good_clip_is_kept_whole():
    verdict = judge_frames(figures(), SETTINGS)
    assert (verdict.first_frame, verdict.frames, verdict.detail) == (0, 60, "")
    assert not verdict.failed.any()


@pytest.mark.parametrize(
    ("name", "value"),
    [("landmark_error", 0.2), ("photometric_error", 0.3), ("expression_energy", 9.0), ("turn_deg", 40.0)],
)
def test_one_bad_frame_splits_and_says_why(name, value):
    verdict = judge_frames(figures(**{name: {20: value}}), SETTINGS)
    # the failure lasts until the figures stayed low for recovery_frames frames
    assert verdict.failed.nonzero()[0].tolist() == [20, 21, 22]
    assert (verdict.first_frame, verdict.frames) == (23, 37)
    assert name.split("_")[0] in verdict.detail
    assert "frame 20" in verdict.detail


def test_failures_do_not_flicker():
    wobbling = dict.fromkeys(range(20, 40, 2), 0.2)
    verdict = judge_frames(figures(landmark_error=wobbling), SETTINGS)
    assert verdict.failed[20:39].all()


def test_a_clip_bad_throughout_has_nothing_to_keep():
    verdict = judge_frames(figures(landmark_error=dict.fromkeys(range(60), 0.15)), SETTINGS)
    assert verdict.frames == 0


def test_longest_run_takes_the_earliest_of_equals():
    assert longest_run(np.array([1, 1, 0, 1, 1, 0], bool)) == (0, 2)
    assert longest_run(np.zeros(3, bool)) == (0, 0)
