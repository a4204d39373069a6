from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tasks.media.ffmpeg_tool import MediaFileError
from tasks.media.video_files import write_video
from tasks.media.video_index import key_frames, video_size
from tests.bad_media import numbered_frame


def test_size_is_told(tmp_path: Path) -> None:
    path = tmp_path / "-v %d 'q\".mkv"
    write_video(path, [numbered_frame(k) for k in range(30)], profile="mask")
    assert key_frames(path) == list(range(30))
    assert video_size(path) == (128, 72)


def test_every_frame_of_lossless_video_is_a_key_frame_and_one_a_second_of_the_others(tmp_path: Path) -> None:
    write_video(tmp_path / "v.mkv", [numbered_frame(k) for k in range(4)], profile="mask")
    assert key_frames(tmp_path / "v.mkv") == [0, 1, 2, 3]
    # every picture is new: none is a key frame for that
    noise = np.random.default_rng(0).integers(0, 256, (60, 32, 32, 3)).astype(np.uint8)
    write_video(tmp_path / "v.mp4", noise, profile="crop")
    assert key_frames(tmp_path / "v.mp4") == [0, 25, 50]


def test_what_is_no_video_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "v.mkv").write_bytes(b"no video")
    with pytest.raises(MediaFileError, match="Invalid data"):
        key_frames(tmp_path / "v.mkv")
