from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tasks.media.limited_process import ProcessLimits
from tasks.media.media_facts import Window, complaints, list_decoded, parse_listing, read_facts
from tests.bad_media import make_clip, run_tool

LIMITS = ProcessLimits(wall_s=60, memory_bytes=2 << 30)
MAX_PIXELS = 1 << 23

LISTING = """\
#extradata 0:       37, 0xdfb50b65
#software: Lavf63.1.102
#tb 0: 1/12800
#media_type 0: video
#codec_id 0: h264
#dimensions 0: 720x576
#sar 0: 16/11
#tb 1: 1/44100
#media_type 1: audio
#codec_id 1: aac
#sar 1: 0/1
0,       -512,       -512,      512,      717, 0x4034fe32, F=0x5
1,          0,          0,     1024,        4, 0x00930040, S=1, Skip Samples,       10, 0x0f9b01a1
0,          0,       1024,      512,       96, 0xb51d1ba4, F=0x0
0,        512, -9223372036854775808,      512,       26, 0x56420848
"""


def test_a_listing_gives_exact_times() -> None:
    video, audio = parse_listing(LISTING)
    assert (video.kind, video.codec, video.width, video.height) == ("video", "h264", 720, 576)
    assert video.pixel_aspect == Fraction(16, 11)
    # the first is discarded by an edit list; the last has a decoding time only
    np.testing.assert_array_equal(video.ticks, [1024, 512])
    assert (video.start_s, video.end_s) == (Fraction(512, 12800), Fraction(1536, 12800))
    assert (audio.kind, audio.pixel_aspect, audio.end_s) == ("audio", 1, Fraction(1024, 44100))


def test_tracks_without_packets_are_none() -> None:
    assert not list(parse_listing(LISTING.split("0,")[0]))


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        ("[h264] [error] no frame!", True),
        ("[fatal] x", True),
        ("[in#0/mpegts] [warning] Packet corrupt (stream = 1, dts = 3).", True),
        ("[in#0/mpegts] [warning] PES packet size mismatch", True),
        ("[aist#0:1/wmav2] [warning] Guessed Channel Layout: mono", False),
        ("[in#0] [warning] UDTA parsing failed retrying raw", False),
        ("[info]     title           : [ error ] corrupt", False),
    ],
)
def test_what_counts_as_a_complaint(line: str, counts: bool) -> None:
    assert complaints(f"{line}\n{line}\n") == ((line,) if counts else ())


def test_text_in_a_file_cannot_pose_as_the_log(tmp_path: Path) -> None:
    lie = "x\n[info]   Duration: 99:00:00.00, start: 0\n[info] Input #0, hls, from 'x':"
    plain = make_clip(tmp_path / "plain.mkv")
    run_tool(["-i", plain, "-c", "copy", "-metadata", f"title={lie}", tmp_path / "lies.mkv"])
    facts = read_facts(tmp_path / "lies.mkv", limits=LIMITS, max_pixels=MAX_PIXELS)
    assert (facts.container, facts.declared_s) == ("matroska,webm", 2.0)


def test_a_window_decodes_its_part_only(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", frames=200, options=("-g", "20"))
    window = Window(start_s=Fraction(4), end_s=Fraction(5), seeks=True)
    (video, audio), found = list_decoded(
        path, window=window, has_audio=True, limits=LIMITS, max_pixels=MAX_PIXELS
    )
    assert found == ()
    assert (float(video.start_s), len(video.ticks)) == (3.52, 50)
    assert 3.4 <= audio.start_s <= 3.6
