"""Read the index of one of the project's own videos, without decoding."""

from __future__ import annotations

from pathlib import Path

import ffmpeg

from tasks.media.ffmpeg_tool import OWN_FILE_LIMITS, check_finished, media_input, run_ffmpeg


def key_frames(path: Path) -> list[int]:
    """Return the numbers of the key frames, ascending; the first is 0."""
    packets = [line for line in _packets(path) if not line.startswith("#")]
    # only packets that are not a key frame carry flags
    return [number for number, packet in enumerate(packets) if "F=0x0" not in packet]


def video_size(path: Path) -> tuple[int, int]:
    """Return (width, height), px."""
    (size,) = [line.split(":")[1] for line in _packets(path) if line.startswith("#dimensions")]
    width, height = size.split("x")
    return int(width), int(height)


def _packets(path: Path) -> list[str]:
    output = ffmpeg.output(media_input(path).video, "pipe:1", c="copy", format="framecrc")
    end = run_ffmpeg(output, limits=OWN_FILE_LIMITS)
    check_finished(end, doing=f"reading {path.name}")
    return end.stdout.decode().splitlines()
