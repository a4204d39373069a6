"""Makers of media files for tests: good ones whose frames and beeps say their own time, and bad ones.

Every frame carries its number as black and white blocks, so that a test can tell which source frame it
sees whatever the codec did to it. The sound beeps every half second of the file's own time.
"""

from __future__ import annotations

import subprocess
import wave
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tasks.media.ffmpeg_tool import ffmpeg_path

BITS = 12
BLOCK_PX = 8
BEEP_EVERY_S = 0.5
BEEP_S = 0.05


def numbered_frame(
    number: int, *, size: tuple[int, int] = (128, 72), still: bool = False
) -> NDArray[np.uint8]:
    """A (height, width) grey frame that carries its number; a bar moves below unless still."""
    width, height = size
    frame = np.full((height, width), 90, dtype=np.uint8)
    for bit in range(BITS):
        frame[:BLOCK_PX, bit * BLOCK_PX : (bit + 1) * BLOCK_PX] = 235 if number >> bit & 1 else 16
    if not still:
        left = number * 5 % (width - 16)
        frame[BLOCK_PX * 2 :, left : left + 16] = 200
    return frame


def frame_number(frame: NDArray[np.generic]) -> int:
    """The number a frame carries, from grey or RGB."""
    grey = frame if frame.ndim == 2 else frame[..., 0]
    blocks = grey[2 : BLOCK_PX - 2, : BITS * BLOCK_PX].reshape(BLOCK_PX - 4, BITS, BLOCK_PX)[..., 2:-2]
    bits = blocks.mean(axis=(0, 2)) > 128
    return int(sum(1 << bit for bit in range(BITS) if bits[bit]))


def beeps(seconds: float, *, rate: int = 44_100) -> NDArray[np.int16]:
    """A 1 kHz beep at every half second, (S,) int16."""
    time_s = np.arange(round(seconds * rate)) / rate
    on = time_s % BEEP_EVERY_S < BEEP_S
    return np.asarray(on * np.sin(2 * np.pi * 1000 * time_s) * 16_000, dtype=np.int16)


def write_wav(path: Path, samples: NDArray[np.int16], *, rate: int = 44_100) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return path


def run_tool(arguments: Sequence[str | Path], *, stdin: bytes | None = None) -> None:
    """Run ffmpeg for a test; its messages are shown where it fails."""
    end = subprocess.run(
        [ffmpeg_path(), "-v", "error", "-y", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        timeout=60,
    )
    assert end.returncode == 0, end.stderr.decode(errors="replace")


def make_clip(
    path: Path,
    *,
    frames: int = 50,
    rate: str = "25",
    size: tuple[int, int] = (128, 72),
    numbers: Iterable[int] | None = None,
    still: bool = False,
    sound_s: float | None = None,
    sound_offset_s: float = 0.0,
    video: Sequence[str] = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "12", "-bf", "2"),
    options: Sequence[str | Path] = (),
) -> Path:
    """A numbered clip with beeps; sound_s = 0 makes it silent, sound_offset_s delays the sound."""
    shown = range(frames) if numbers is None else numbers
    raw = b"".join(numbered_frame(number, size=size, still=still).tobytes() for number in shown)
    top, _, bottom = rate.partition("/")
    seconds = frames * int(bottom or 1) / int(top) if sound_s is None else sound_s
    source = ["-f", "rawvideo", "-pix_fmt", "gray", "-s", f"{size[0]}x{size[1]}", "-r", rate, "-i", "pipe:0"]
    streams: list[str | Path] = ["-map", "0:v"]
    if seconds:
        wav = write_wav(path.with_name("beeps.wav"), beeps(seconds))
        source += ["-itsoffset", str(sound_offset_s), "-i", f"file:{wav}"]
        streams += ["-map", "1:a"]
    run_tool(
        [*source, *streams, *video, "-pix_fmt", "yuv420p", *options, f"file:{path.absolute()}"], stdin=raw
    )
    return path


def cut(path: Path, *, keep: float) -> Path:
    """Keep this share of the file's bytes."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    return path


def punch(path: Path, *, at: float, share: float) -> Path:
    """Overwrite this share of the file with zeros, starting at the given share."""
    content = bytearray(path.read_bytes())
    start, length = int(len(content) * at), int(len(content) * share)
    content[start : start + length] = bytes(length)
    path.write_bytes(bytes(content))
    return path
