"""What the index of one of our own videos tells; nothing is decoded."""

from __future__ import annotations

from pathlib import Path

import ffmpeg

from tasks.media.ffmpeg_tool import OWN_FILE_LIMITS, check_finished, media_input, run_ffmpeg


def key_frames(path: Path) -> list[int]:
    """Numbers of the frames that can be decoded without those before them, ascending; 0 is the first."""
    packets = [line for line in _packets(path) if not line.startswith("#")]
    # only packets that are not a key frame carry flags
    return [number for number, packet in enumerate(packets) if "F=0x0" not in packet]


def video_size(path: Path) -> tuple[int, int]:
    """(width, height), px."""
    (size,) = [line.split(":")[1] for line in _packets(path) if line.startswith("#dimensions")]
    width, height = size.split("x")
    return int(width), int(height)


def _packets(path: Path) -> list[str]:
    output = ffmpeg.output(media_input(path).video, "pipe:1", c="copy", format="framecrc")
    end = run_ffmpeg(output, limits=OWN_FILE_LIMITS)
    check_finished(end, doing=f"reading {path.name}")
    return end.stdout.decode().splitlines()
