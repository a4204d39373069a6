from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest

from tasks.media.check_media import (
    ProbeSettings,
    check_decoded,
    frame_rate,
    reject_complaints,
    upright_size,
)
from tasks.media.media_facts import MediaTrack
from tasks.reasons import Reason, Rejected

SETTINGS = ProbeSettings()


def track(
    ticks: Sequence[int], *, width: int = 64, height: int = 48, aspect: Fraction = Fraction(1)
) -> MediaTrack:
    return MediaTrack(
        kind="video",
        codec="rawvideo",
        time_base=Fraction(1, 100),
        width=width,
        height=height,
        pixel_aspect=aspect,
        ticks=np.array(ticks, dtype=np.int64),
        duration_ticks=np.full(len(ticks), 4, dtype=np.int64),
    )


def decoded_reason(ticks: Sequence[int], *, packets: int, codec: str = "h264", whole: bool = True) -> Reason:
    with pytest.raises(Rejected) as caught:
        check_decoded(track(ticks), packets=packets, codec=codec, whole=whole, settings=SETTINGS)
    return caught.value.reason


def test_a_frame_that_is_lost_without_a_word_is_noticed() -> None:
    steady = range(0, 400, 4)
    assert decoded_reason(steady, packets=101) is Reason.CORRUPT
    for codec, whole, packets in (("h264", True, 100), ("h264", False, 500), ("vp8", True, 110)):
        check_decoded(track(steady), packets=packets, codec=codec, whole=whole, settings=SETTINGS)


def test_nothing_decoded_is_corrupt() -> None:
    with pytest.raises(Rejected, match="0 of 10 frames could be decoded"):
        check_decoded(None, packets=10, codec="vp9", whole=True, settings=SETTINGS)


@pytest.mark.parametrize("ticks", [[0, 4, 4, 8], [0, 8, 4, 12]])
def test_times_must_rise(ticks: list[int]) -> None:
    assert decoded_reason(ticks, packets=4) is Reason.CORRUPT


def test_one_frame_has_no_rate() -> None:
    assert frame_rate(track([5])) == 0
    assert decoded_reason([5], packets=1) is Reason.LOW_FPS


@pytest.mark.parametrize(
    ("aspect", "rotation", "size"),
    [
        (Fraction(1), 0.0, (720, 576)),
        (Fraction(16, 15), 0.0, (768, 576)),
        (Fraction(16, 15), 180.0, (768, 576)),
        (Fraction(16, 15), -90.0, (540, 720)),
        (Fraction(1), 270.0, (576, 720)),
    ],
)
def test_upright_size(aspect: Fraction, rotation: float, size: tuple[int, int]) -> None:
    assert upright_size(track([0], width=720, height=576, aspect=aspect), rotation_deg=rotation) == size


def test_complaints_are_told_and_sorted() -> None:
    reject_complaints(())
    with pytest.raises(Rejected) as caught:
        reject_complaints(["[h264] [error] a", "[h264] [error] b", "c", "d"])
    assert caught.value.reason is Reason.CORRUPT
    assert caught.value.detail == "4 messages of ffmpeg: [h264] [error] a; [h264] [error] b; c"
    with pytest.raises(Rejected) as caught:
        reject_complaints(["[matroska,webm] [error] File ended prematurely"])
    assert caught.value.reason is Reason.TRUNCATED
