from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from tasks.embedded.write_clip import write_clip, write_wave
from tasks.media.ffmpeg_tool import MediaFileError, check_finished, media_input, run_ffmpeg
from tasks.media.limited_process import ProcessLimits

LIMITS = ProcessLimits(wall_s=60, memory_bytes=4 << 30)


def frames(count: int) -> list[np.ndarray]:
    columns = np.arange(96) + np.zeros((64, 1))
    return [
        np.stack([columns + 2 * k, columns * 2, 255 - columns], axis=-1).clip(0, 255).astype(np.uint8)
        for k in range(count)
    ]


def sound_of(path: Path) -> np.ndarray:
    import ffmpeg

    output = ffmpeg.output(media_input(path).audio, "pipe:1", format="s16le", ac=1, ar=16_000)
    end = run_ffmpeg(output, limits=LIMITS)
    check_finished(end, doing="reading")
    return np.frombuffer(end.stdout, "<i2")


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("rate", [Fraction(25), Fraction(30_000, 1001)])
def test_a_clip_has_its_frames_its_rate_and_its_sound(tmp_path: Path, suffix: str, rate: Fraction) -> None:
    tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)).astype(np.int16)
    write_wave(tmp_path / "tone.wav", tone, sample_rate_hz=16_000)
    pictures = frames(int(rate))
    for name in ("one", "two"):
        path = tmp_path / f"{name}{suffix}"
        write_clip(path, pictures, size=(96, 64), frame_rate=rate, sound=tmp_path / "tone.wav")
    assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"two{suffix}").read_bytes()
    video = cv2.VideoCapture(str(path))
    assert video.get(cv2.CAP_PROP_FPS) == pytest.approx(float(rate), abs=0.01)
    read = []
    while (got := video.read())[0]:
        read.append(got[1][..., ::-1])
    assert len(read) == len(pictures)
    assert np.abs(read[-1].astype(int) - pictures[-1]).mean() < 4
    heard = sound_of(path)
    assert abs(len(heard) - len(tone)) <= 1024
    spectrum = np.abs(np.fft.rfft(heard[:16_000].astype(float)))
    assert np.argmax(spectrum) * 16_000 / min(len(heard), 16_000) == pytest.approx(440, abs=2)


def test_a_clip_may_be_silent(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mp4", frames(5), size=(96, 64), frame_rate=Fraction(25), sound=None)
    with pytest.raises(MediaFileError):
        sound_of(tmp_path / "a.mp4")


def test_ffmpegs_complaint_is_passed_on(tmp_path: Path) -> None:
    odd = [np.zeros((63, 95, 3), np.uint8)]
    with pytest.raises(MediaFileError, match=r"writing a\.mp4: .*not divisible by 2"):
        write_clip(tmp_path / "a.mp4", odd, size=(95, 63), frame_rate=Fraction(25), sound=None)
