"""Write clips like those of a camera: any frame rate, with or without sound, as mp4 or mkv."""

from __future__ import annotations

import wave
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import ffmpeg
import numpy as np
from numpy.typing import NDArray

from tasks.media.ffmpeg_tool import check_finished, command
from tasks.media.limited_process import LimitedProcess, ProcessLimits

WRITING_LIMITS = ProcessLimits(wall_s=600, memory_bytes=4 << 30)
_VIDEO = {
    "vcodec": "libx264",
    "pix_fmt": "yuv420p",
    "preset": "veryfast",
    "crf": 16,
    "x264-params": "cpu-independent=1",
}
_SOUND: dict[str, dict[str, Any]] = {
    ".mp4": {"acodec": "aac", "audio_bitrate": 128_000},
    ".mkv": {"acodec": "pcm_s16le"},
}
# One thread, no tags and no encoder names: the bytes depend on the frames and on ffmpeg alone. For the same
# reason x264 runs with cpu-independent=1 above.
_EXACT = {
    "threads": 1,
    "map_metadata": -1,
    "fflags": "+bitexact",
    "flags:v": "+bitexact",
    "flags:a": "+bitexact",
}


def write_clip(
    path: Path,
    frames: Iterable[NDArray[np.uint8]],
    *,
    size: tuple[int, int],
    frame_rate: Fraction,
    sound: Path | None,
) -> None:
    """Encode a clip; the same frames give the same bytes with the same ffmpeg.

    Args:
        path: .mp4 (AAC sound) or .mkv (uncompressed sound).
        frames: (H, W, 3) uint8 RGB.
        size: (width, height), even.
        frame_rate: frames per second, for example 30000/1001.
        sound: a wav file from write_wave, or None for a silent clip.

    Raises:
        MediaFileError: ffmpeg failed or reported a problem.
    """
    width, height = size
    picture = ffmpeg.input(
        "pipe:0",
        format="rawvideo",
        pixel_format="rgb24",
        video_size=(width, height),
        framerate=str(frame_rate),
    ).video.filter("scale", out_color_matrix="bt601", out_range="tv", flags="bicubic+accurate_rnd+bitexact")
    # converted and tagged explicitly: without tags, each reader guesses the colour matrix by the size
    tagged = picture.filter(
        "setparams", colorspace="smpte170m", range="tv", color_primaries="bt709", color_trc="bt709"
    )
    streams: list[Any] = [tagged]
    options: dict[str, Any] = {**_VIDEO, **_EXACT}
    if sound is not None:
        streams.append(ffmpeg.input(f"file:{sound.absolute()}", format="wav").audio)
        options |= _SOUND[path.suffix]
    output = ffmpeg.output(*streams, f"file:{path.absolute()}", **options)
    with LimitedProcess(command(output), limits=WRITING_LIMITS, feeds=True) as process:
        for frame in frames:
            if not process.write(np.ascontiguousarray(frame).reshape(-1).data):
                break
        check_finished(process.finish(), doing=f"writing {path.name}")


def write_wave(path: Path, samples: NDArray[np.int16], *, sample_rate_hz: int) -> None:
    """Write (S,) samples as a mono wav file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate_hz)
        file.writeframes(samples.astype("<i2").tobytes())
