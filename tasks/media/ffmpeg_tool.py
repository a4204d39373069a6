"""The ffmpeg program: which one, its version, and the only way this project starts it.

Every call is built by ffmpeg-python as an argument list, opens `file:` + an absolute path with a list
of allowed containers, and runs with limits (tasks/media/limited_process.py).
"""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
from functools import lru_cache
from pathlib import Path
from typing import Any

import ffmpeg
import imageio_ffmpeg

from tasks.media.limited_process import ProcessLimits, ProcessResult, run_limited

CONTAINERS = (
    "mov,matroska,avi,mpegts,mpeg,ogg,flv,asf,mxf,nut,rm,dv,gxf,wtv,nsv,ivf,yuv4mpegpipe,wav,flac,mp3,aac"
)
"""Demuxers that open one file and nothing else. Playlists, scripts, image sequences, text and devices
are left out; so are containers that refer to other files. The last four hold sound only."""

ONE_THREAD = ("-filter_threads", "1", "-filter_complex_threads", "1")
"""Options that give the same bytes on every machine, on one core."""

OWN_FILE_LIMITS = ProcessLimits(wall_s=1800, memory_bytes=4 << 30)
"""Limits for the project's own files. These are trusted: limits only keep a broken machine from hanging."""


class MediaFileError(RuntimeError):
    """A media file of the project could not be written or read; the message quotes ffmpeg."""


def ffmpeg_path() -> str:
    """Return the program in use: that of imageio-ffmpeg, or the one that IMAGEIO_FFMPEG_EXE names."""
    return str(imageio_ffmpeg.get_ffmpeg_exe())


def ffmpeg_fingerprint() -> str:
    """Return version and build of the program for action keys: the version and a digest of its output."""
    return _fingerprint_of(ffmpeg_path())


def media_input(path: Path, **options: Any) -> Any:
    """Return an ffmpeg-python input that reads this file and can open no other."""
    # `file:` keeps names such as "http:x.mp4", "-i.mp4" or "%d.mp4" what they are: names
    return ffmpeg.input(
        f"file:{path.absolute()}",
        protocol_whitelist="file",
        format_whitelist=CONTAINERS,
        threads=1,
        **options,
    )


def command(output: Any, *, level: str = "error") -> list[str]:
    """Return the argument list of an ffmpeg-python output; messages are prefixed with their level."""
    program = [ffmpeg_path(), "-nostdin", "-hide_banner", "-nostats", "-loglevel", f"repeat+level+{level}"]
    return [*program, *ONE_THREAD, *ffmpeg.compile(output, cmd=[], overwrite_output=True)]


def run_ffmpeg(output: Any, *, limits: ProcessLimits, level: str = "error") -> ProcessResult:
    """Run an ffmpeg-python output to its end.

    Raises:
        Rejected: it took too long, printed or wrote too much, or crashed.
    """
    return run_limited(command(output, level=level), limits=limits)


def check_finished(end: ProcessResult, *, doing: str) -> None:
    """Raise unless ffmpeg ended well and reported nothing.

    The exit status alone says nothing: ffmpeg decodes damaged input in part and ends with status 0.

    Raises:
        OSError: the disk is full.
        MediaFileError: ffmpeg failed or complained.
    """
    if os.strerror(errno.ENOSPC) in end.messages:
        raise OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)} while {doing}; free space and run again")
    if end.returncode != 0 or end.messages.strip():
        raise MediaFileError(
            f"{doing}: ffmpeg ended with status {end.returncode}: {end.messages.strip() or '(no message)'}"
        )


@lru_cache(maxsize=4)
def _fingerprint_of(program: str) -> str:
    told = subprocess.run([program, "-version"], check=True, capture_output=True, timeout=30).stdout
    version = told.decode("utf-8", errors="replace").split("\n", 1)[0]
    return f"{version.split(' Copyright')[0]} {hashlib.sha256(told).hexdigest()[:16]}"
