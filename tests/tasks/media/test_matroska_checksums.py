"""A damaged byte anywhere in one of our Matroska files is found; what is not asked for is left alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tasks.media.ffmpeg_tool import MediaFileError
from tasks.media.matroska_checksums import check_parts
from tasks.media.video_files import write_video

FRAMES = 300


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise, in many clusters."""
    path = tmp_path_factory.mktemp("mkv") / "v.mkv"
    frames = np.random.default_rng(0).integers(0, 256, (FRAMES, 24, 32)).astype(np.uint8)
    write_video(path, frames, profile="mask")
    return path


def damaged(video: Path, folder: Path, at: int) -> Path:
    content = bytearray(video.read_bytes())
    content[at] ^= 0x10
    (folder / "damaged.mkv").write_bytes(bytes(content))
    return folder / "damaged.mkv"


@pytest.mark.parametrize("share", np.linspace(0.03, 0.99, 25))
def test_one_flipped_bit_is_found_wherever_it_is(video: Path, tmp_path: Path, share: float) -> None:
    check_parts(video)
    check_parts(video, [0, FRAMES - 1])
    with pytest.raises(MediaFileError, match="CRC"):
        check_parts(damaged(video, tmp_path, int(share * video.stat().st_size)))


def test_clusters_of_other_frames_are_left_alone(video: Path, tmp_path: Path) -> None:
    last = damaged(video, tmp_path, int(0.9 * video.stat().st_size))
    check_parts(last, [0, 10])
    with pytest.raises(MediaFileError, match="CRC"):
        check_parts(last, range(FRAMES // 2, FRAMES))


@pytest.mark.parametrize("keep", [0.3, 0.7, 0.999])
def test_a_file_that_ends_early_is_found(video: Path, tmp_path: Path, keep: float) -> None:
    content = video.read_bytes()
    (tmp_path / "cut.mkv").write_bytes(content[: int(keep * len(content))])
    with pytest.raises(MediaFileError, match="CRC"):
        check_parts(tmp_path / "cut.mkv")


def test_zeros_after_a_part_are_told(video: Path, tmp_path: Path) -> None:
    (tmp_path / "zeros.mkv").write_bytes(video.read_bytes() + bytes(100))
    with pytest.raises(MediaFileError, match="no Matroska part"):
        check_parts(tmp_path / "zeros.mkv")


def test_other_files_are_left_to_their_decoders(tmp_path: Path) -> None:
    frames = [np.zeros((16, 16, 3), np.uint8)] * 3
    write_video(tmp_path / "v.mp4", frames, profile="crop")
    check_parts(damaged(tmp_path / "v.mp4", tmp_path, 100))
    write_video(tmp_path / "v.mkv", [frame[..., 0] for frame in frames], profile="mask")
    with pytest.raises(MediaFileError, match="CRC"):
        check_parts(damaged(tmp_path / "v.mkv", tmp_path, 100))
