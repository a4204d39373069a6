"""Speech windows: centred, clamped at the ends."""

from __future__ import annotations

import pytest
import torch

from model.samples.speech_windows import speech_windows

FEATURES = torch.arange(6.0)[:, None, None].expand(6, 2, 3)


def frames(first: int, count: int, window: int) -> list[list[int]]:
    windows = speech_windows(FEATURES, first=first, count=count, window=window)
    assert windows.shape == (count, window, 2, 3)
    return windows[:, :, 0, 0].int().tolist()


def test_inside_a_clip_windows_are_centred() -> None:
    assert frames(2, 2, 5) == [[0, 1, 2, 3, 4], [1, 2, 3, 4, 5]]


def test_at_the_ends_frames_are_repeated() -> None:
    assert frames(0, 1, 5) == [[0, 0, 0, 1, 2]]
    assert frames(4, 2, 5) == [[2, 3, 4, 5, 5], [3, 4, 5, 5, 5]]
    assert frames(0, 6, 1) == [[0], [1], [2], [3], [4], [5]]


def test_windows_of_a_part_are_those_of_the_whole() -> None:
    whole = speech_windows(FEATURES, first=0, count=6, window=3)
    assert torch.equal(speech_windows(FEATURES, first=1, count=4, window=3), whole[1:5])


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="odd"):
        frames(0, 1, 4)
    with pytest.raises(ValueError, match=r"frames 4 \.\. 7 of a clip of 6"):
        frames(4, 3, 5)
