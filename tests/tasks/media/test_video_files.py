from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import ffmpeg
import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.media import video_files
from tasks.media.ffmpeg_tool import OWN_FILE_LIMITS, MediaFileError, check_finished, run_ffmpeg
from tasks.media.video_files import read_audio, read_chosen, read_frames, write_audio, write_video
from tests.bad_media import cut, frame_number, numbered_frame, punch


def picture(number: int) -> NDArray[np.uint8]:
    """A smooth coloured picture that moves, 64 x 96."""
    y, x = np.mgrid[:64, :96]
    return np.stack([x * 2 + number, 255 - y * 3, (x + y + 3 * number) % 200], axis=-1).astype(np.uint8)


def depths(count: int) -> Iterator[NDArray[np.uint16]]:
    random = np.random.default_rng(0)
    for _ in range(count):
        yield random.integers(0, 65536, (48, 80)).astype(np.uint16)


def test_depth_survives_to_the_bit(tmp_path: Path) -> None:
    path = tmp_path / "depth.mkv"
    assert write_video(path, depths(7), profile="depth") == 7
    back = list(read_frames(path, pixel_format="gray16le"))
    assert len(back) == 7
    for mine, its in zip(depths(7), back, strict=True):
        assert its.dtype == np.uint16
        np.testing.assert_array_equal(mine, its)


def test_mask_survives_to_the_bit(tmp_path: Path) -> None:
    masks = [np.where(picture(k)[..., 0] > 90, 255, 0).astype(np.uint8) for k in range(5)]
    write_video(tmp_path / "mask.mkv", masks, profile="mask")
    np.testing.assert_array_equal(list(read_frames(tmp_path / "mask.mkv", pixel_format="gray")), masks)


@pytest.mark.parametrize("profile", ["source", "crop"])
def test_pictures_keep_their_colours(tmp_path: Path, profile: video_files.Profile) -> None:
    frames = [picture(k) for k in range(10)]
    write_video(tmp_path / "v.mp4", frames, profile=profile)
    back = np.array(list(read_frames(tmp_path / "v.mp4", pixel_format="rgb24")))
    error = back.astype(float) - frames
    assert back.shape == (10, 64, 96, 3)
    # chroma has half the resolution; a bias of even one level would be a wrong matrix or range
    assert 10 * np.log10(255**2 / (error**2).mean()) > 36
    assert np.abs(error.mean(axis=(0, 1, 2))).max() < 0.5


def test_planes_are_taken_as_they_are(tmp_path: Path) -> None:
    planes = np.full((96, 64), 128, dtype=np.uint8)
    planes[:64] = numbered_frame(0, size=(64, 64), still=True)
    write_video(tmp_path / "v.mp4", [planes] * 3, profile="source")
    back = next(read_frames(tmp_path / "v.mp4", pixel_format="gray"))
    full_range = (planes[:64].astype(float) - 16) * 255 / 219
    assert np.abs(back - full_range).mean() < 1


@pytest.mark.parametrize(("profile", "name"), [("crop", "a.mp4"), ("depth", "a.mkv"), ("mask", "a.mkv")])
def test_same_frames_give_the_same_bytes_wherever_they_lie(
    tmp_path: Path, profile: video_files.Profile, name: str
) -> None:
    frames = {
        "crop": [picture(k) for k in range(6)],
        "depth": list(depths(6)),
        "mask": [picture(k)[..., 0] for k in range(6)],
    }[profile]
    other = tmp_path / "other folder % '"
    other.mkdir()
    write_video(tmp_path / name, frames, profile=profile)
    write_video(other / f"b{name}", frames, profile=profile)
    assert (tmp_path / name).read_bytes() == (other / f"b{name}").read_bytes()


def test_a_part_is_the_same_as_in_the_whole(tmp_path: Path) -> None:
    path = tmp_path / "-v %d 'q\".mkv"
    write_video(path, [numbered_frame(k) for k in range(30)], profile="mask")
    part = [frame_number(frame) for frame in read_frames(path, pixel_format="gray", start=7, count=5)]
    assert part == [7, 8, 9, 10, 11]
    assert [frame_number(f) for f in read_frames(path, pixel_format="gray", start=28)] == [28, 29]


def test_a_part_past_the_end_is_an_error(tmp_path: Path) -> None:
    write_video(tmp_path / "v.mkv", [numbered_frame(k) for k in range(10)], profile="mask")
    with pytest.raises(MediaFileError, match="2 frames from 8 on, need 5"):
        list(read_frames(tmp_path / "v.mkv", pixel_format="gray", start=8, count=5))
    with pytest.raises(MediaFileError, match="0 frames"):
        list(read_frames(tmp_path / "v.mkv", pixel_format="gray", start=10))


@pytest.mark.parametrize(("profile", "name"), [("crop", "v.mp4"), ("mask", "v.mkv")])
def test_chosen_frames_are_those_of_the_whole(
    tmp_path: Path, profile: video_files.Profile, name: str
) -> None:
    path = tmp_path / name
    frames = [numbered_frame(k) for k in range(70)]
    write_video(path, [np.dstack([f] * 3) for f in frames] if profile == "crop" else frames, profile=profile)
    chosen = [0, 3, 24, 25, 26, 49, 69]
    whole = list(read_frames(path, pixel_format="gray"))
    np.testing.assert_array_equal(read_chosen(path, chosen, pixel_format="gray"), [whole[k] for k in chosen])
    with pytest.raises(MediaFileError, match="no frame 70"):
        read_chosen(path, [69, 70], pixel_format="gray")


def test_damage_before_a_chosen_frame_is_found_only_where_it_matters(tmp_path: Path) -> None:
    path = tmp_path / "v.mkv"
    write_video(path, depths(12), profile="depth")
    whole = list(read_frames(path, pixel_format="gray16le"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    np.testing.assert_array_equal(read_chosen(path, [0, 11], pixel_format="gray16le"), [whole[0], whole[11]])
    with pytest.raises(MediaFileError, match="CRC"):
        read_chosen(path, range(12), pixel_format="gray16le")


@pytest.mark.parametrize(
    ("profile", "damage"),
    [("crop", "cut"), ("crop", "hole"), ("depth", "cut"), ("depth", "hole")],
)
def test_damage_is_found(tmp_path: Path, profile: video_files.Profile, damage: str) -> None:
    path = tmp_path / ("v.mkv" if profile == "depth" else "v.mp4")
    frames = list(depths(12)) if profile == "depth" else [picture(k) for k in range(12)]
    write_video(path, frames, profile=profile)
    if damage == "cut":
        cut(path, keep=0.6)
    else:
        punch(path, at=0.4, share=0.2)
    with pytest.raises(MediaFileError):
        list(read_frames(path, pixel_format="gray16le" if profile == "depth" else "rgb24"))


@pytest.mark.parametrize("at", [0.31, 0.5, 0.73, 0.9])
def test_a_flipped_bit_of_depth_is_found(tmp_path: Path, at: float) -> None:
    path = tmp_path / "v.mkv"
    write_video(path, depths(12), profile="depth")
    content = bytearray(path.read_bytes())
    content[int(len(content) * at)] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(MediaFileError, match="CRC"):
        list(read_frames(path, pixel_format="gray16le"))


def test_reading_can_stop_early(tmp_path: Path) -> None:
    write_video(tmp_path / "v.mkv", (np.full((256, 256), k, np.uint8) for k in range(100)), profile="mask")
    frames = read_frames(tmp_path / "v.mkv", pixel_format="gray")
    assert next(frames)[0, 0] == 0
    frames.close()  # type: ignore[attr-defined]


def test_frames_must_be_alike_and_some(tmp_path: Path) -> None:
    path = tmp_path / "v.mkv"
    with pytest.raises(ValueError, match="no frames"):
        write_video(path, [], profile="mask")
    mixed = [np.zeros((8, 8), np.uint8), np.zeros((8, 10), np.uint8)]
    with pytest.raises(ValueError, match=r"frame 1 of v\.mkv"):
        write_video(path, mixed, profile="mask")
    with pytest.raises(ValueError, match="depth frames are uint8"):
        write_video(path, mixed[:1], profile="depth")
    assert not path.exists()


def test_a_frame_source_that_fails_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "v.mkv"

    def frames() -> Iterator[NDArray[np.uint16]]:
        random = np.random.default_rng(0)
        while not path.exists() or path.stat().st_size == 0:
            yield random.integers(0, 65536, (256, 256)).astype(np.uint16)
        raise RuntimeError("lost")

    with pytest.raises(RuntimeError, match="lost"):
        write_video(path, frames(), profile="depth")
    assert not path.exists()


def test_what_ffmpeg_cannot_write_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MediaFileError, match="width not divisible by 2"):
        write_video(tmp_path / "v.mp4", [np.zeros((8, 9, 3), np.uint8)], profile="crop")
    with pytest.raises(MediaFileError, match="No such file"):
        write_video(tmp_path / "none" / "v.mkv", [np.zeros((8, 8), np.uint8)], profile="mask")


def test_a_full_disk_is_told_as_such() -> None:
    # /dev/full answers every write as a full disk does
    noise = np.random.default_rng(0).integers(0, 256, (50, 64, 64)).astype(np.uint8)
    with pytest.raises(OSError, match="No space left on device while writing"):
        check_finished(run_ffmpeg(_copy_to_full(noise), limits=OWN_FILE_LIMITS), doing="writing v.mkv")


def _copy_to_full(noise: NDArray[np.uint8]) -> object:
    source = ffmpeg.input(f"color=s=64x64:d={len(noise) / 25}", format="lavfi")
    return ffmpeg.output(source, "file:/dev/full", format="rawvideo")


def test_sound_round_trip(tmp_path: Path) -> None:
    samples = np.random.default_rng(1).integers(-32768, 32768, 6400).astype(np.int16)
    write_audio(tmp_path / "a.wav", samples)
    np.testing.assert_array_equal(read_audio(tmp_path / "a.wav"), samples)
    np.testing.assert_array_equal(read_audio(tmp_path / "a.wav", start=640, count=1280), samples[640:1920])
    with pytest.raises(MediaFileError, match="400 samples from 6000 on, need 640"):
        read_audio(tmp_path / "a.wav", start=6000, count=640)
    with pytest.raises(ValueError, match="float64"):
        write_audio(tmp_path / "b.wav", samples.astype(float))  # type: ignore[arg-type]
