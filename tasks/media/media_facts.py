"""Facts that ffmpeg tells about a source file: tracks, their packets or frames, and error messages.

There is no ffprobe. The listing is ffmpeg's `framecrc` output: a header for each track and one line for
each packet (copied) or frame (decoded) with its exact time. Rotation, container and declared duration
exist only in the log at level info, whose lines carry their level.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import ffmpeg
import numpy as np
from numpy.typing import NDArray

from tasks.media.ffmpeg_tool import MediaFileError, ffmpeg_path, media_input, run_ffmpeg
from tasks.media.limited_process import ProcessLimits

_DISCARDED = 0x4  # AV_PKT_FLAG_DISCARD: decoded, never shown (before the start of an edit list)
MARGIN_S = Fraction(1, 2)
"""Time that is decoded before and after an interval, seconds."""

_UNKNOWN_TIME = -(2**63)  # AV_NOPTS_VALUE
_FLAGS = re.compile(r", F=0x([0-9A-F]+)")
_ADDRESS = re.compile(r" @ 0x[0-9a-f]+")
_DURATION = re.compile(r"^\[info\]   Duration: (\d+):(\d\d):(\d\d\.\d+)", re.MULTILINE)
_CONTAINER = re.compile(r"^\[info\] Input #0, (\S+), from ", re.MULTILINE)
_ROTATION = re.compile(r"^\[info\]  +Display Matrix: rotation of (-?[0-9.]+) degrees", re.MULTILINE)
_PIXEL_FORMAT = re.compile(r"^\[info\]   Stream #0:\d+.*?: Video: .*?, \w+\(([^)]*)\)", re.MULTILINE)
# as the log names them -> as ffmpeg's colormatrix filter does; all else is taken for BT.601
_COLOR_MATRICES = {"bt709": "bt709", "bt2020nc": "bt2020", "smpte240m": "smpte240m", "fcc": "fcc"}
_ENCRYPTED = re.compile(r"\((encv|enca) /")
_SERIOUS = re.compile(r"\[(error|fatal|panic)\]")
# these mean lost data although ffmpeg calls them warnings
_SERIOUS_WARNING = re.compile(r"\[warning\].*(corrupt|mismatch|truncated|invalid|discontinuity)", re.I)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MediaTrack:
    """A track as ffmpeg lists it: packets or decoded frames, in the order of the file."""

    kind: str
    """Kind of track: video, audio, subtitle or data."""
    codec: str
    time_base: Fraction
    """Length of a tick, seconds."""
    width: int
    height: int
    pixel_aspect: Fraction
    """Width of a pixel divided by its height; 1 if the file does not say."""
    ticks: NDArray[np.int64]
    """Presentation time of each packet or frame, ticks, (N,)."""
    duration_ticks: NDArray[np.int64]
    """Duration of each packet or frame, ticks, (N,); 0 if unknown."""

    @property
    def start_s(self) -> Fraction:
        """Time when the first frame is shown, seconds on the clock of the file."""
        return int(self.ticks.min()) * self.time_base

    @property
    def end_s(self) -> Fraction:
        """Time when the last frame ends, seconds."""
        return int((self.ticks + self.duration_ticks).max()) * self.time_base


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaFacts:
    """A file as its container describes it, without decoding."""

    tracks: tuple[MediaTrack, ...]
    """Tracks that have packets: video (without attached pictures), audio, subtitles, data."""
    container: str
    declared_s: float | None
    """Duration that the container states, seconds."""
    rotation_deg: float
    color_matrix: str
    """Colour matrix: bt601, bt709, bt2020, smpte240m or fcc; bt601 if the file does not say."""
    encrypted: bool
    complaints: tuple[str, ...]

    def first(self, kind: str) -> MediaTrack | None:
        """Return the first track of a kind, which is the one that is used."""
        return next(iter(self.all(kind)), None)

    def all(self, kind: str) -> tuple[MediaTrack, ...]:
        """Return the tracks of a kind in the order of the file."""
        return tuple(track for track in self.tracks if track.kind == kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The part of a file that a clip uses, in seconds on the clock of the file."""

    start_s: Fraction
    end_s: Fraction
    seeks: bool
    """True if the container has an index, so that decoding can start near the part."""

    @property
    def bounds(self) -> dict[str, str]:
        """The interval that is decoded: slightly longer, so that it has the frames nearest to both ends."""
        return {
            "start": f"{float(max(Fraction(0), self.start_s - MARGIN_S)):.6f}",
            "end": f"{float(self.end_s + MARGIN_S):.6f}",
        }


def read_facts(path: Path, *, limits: ProcessLimits, max_pixels: int) -> MediaFacts:
    """List the packets of every track.

    Raises:
        Rejected: ffmpeg took too long, or listed more than the limits allow.
        MediaFileError: the program is no working ffmpeg.
    """
    source = media_input(path, max_pixels=max_pixels)
    output = ffmpeg.output(
        *(source[kind] for kind in ("V?", "a?", "s?", "d?")),
        "pipe:1",
        c="copy",
        format="framecrc",
        **{"copyts": None, "copyinkf": None},
    )
    end = run_ffmpeg(output, limits=limits, level="info")
    listing = end.stdout.decode("ascii", errors="replace")
    log = anonymous(end.messages, path)
    container = _CONTAINER.search(log)
    if container is None and end.returncode == 0:
        raise MediaFileError(f"{ffmpeg_path()} says nothing about {path.name}; set a working ffmpeg")
    rotation = _ROTATION.search(log)
    return MediaFacts(
        tracks=tuple(parse_listing(listing)),
        container=container.group(1) if container else "",
        declared_s=_declared_s(log),
        rotation_deg=float(rotation.group(1)) if rotation else 0.0,
        color_matrix=_color_matrix(log),
        encrypted=bool(_ENCRYPTED.search(log)) or "Encryption info" in listing,
        complaints=complaints(log),
    )


def list_decoded(
    path: Path, *, window: Window | None, has_audio: bool, limits: ProcessLimits, max_pixels: int
) -> tuple[tuple[MediaTrack, ...], tuple[str, ...]]:
    """Decode the first video and audio track; return their frames and the error messages of ffmpeg.

    Raises:
        Rejected: ffmpeg took too long, or listed more than the limits allow.
    """
    # pixels are not looked at here: a 2 x 2 corner keeps the listing cheap
    video = video_source(path, window=window, max_pixels=max_pixels)
    streams = [video.filter("crop", 2, 2, 0, 0)]
    if has_audio:
        sound = media_input(path, max_pixels=max_pixels)["a:0"]
        streams.append(sound if window is None else sound.filter("atrim", **window.bounds))
    output = ffmpeg.output(
        *streams,
        "pipe:1",
        format="framecrc",
        fps_mode="passthrough",
        threads=1,
        **{"copyts": None, "xerror": None, "enc_time_base:v": "demux"},
    )
    end = run_ffmpeg(output, limits=limits, level="warning")
    found = list(complaints(anonymous(end.messages, path)))
    if end.returncode != 0 and not found:
        found.append(f"ffmpeg ended with status {end.returncode}")
    return tuple(parse_listing(end.stdout.decode("ascii", errors="replace"))), tuple(found)


def video_source(path: Path, *, window: Window | None, max_pixels: int) -> Any:
    """Select the first video track that is no attached picture; times stay on the clock of the file."""
    seek: dict[str, Any] = {}
    if window is not None and window.seeks:
        seek = {"ss": window.bounds["start"], "seek_timestamp": 1}
    video = media_input(path, max_pixels=max_pixels, **seek)["V:0"]
    return video if window is None else video.filter("trim", **window.bounds)


def parse_listing(text: str) -> Iterator[MediaTrack]:
    """Return the tracks of a framecrc listing that have packets."""
    headers: dict[int, dict[str, str]] = {}
    packets: dict[int, list[tuple[int, int]]] = {}
    for line in io.StringIO(text):
        if line.startswith("#"):
            name, _, value = line[1:].partition(":")
            word, _, index = name.partition(" ")
            if index.isdigit():
                headers.setdefault(int(index), {})[word] = value.strip()
        elif (packet := _packet(line)) is not None:
            packets.setdefault(packet[0], []).append(packet[1:])
    for track, listed in sorted(packets.items()):
        yield _track(headers.get(track, {}), listed)


def complaints(log: str) -> tuple[str, ...]:
    """Return the lines that report lost or damaged data, without repeats."""
    lines = [line for line in log.splitlines() if _SERIOUS.search(line) or _SERIOUS_WARNING.search(line)]
    return tuple(dict.fromkeys(lines))


def anonymous(log: str, path: Path) -> str:
    """Remove addresses and folders from the log, so that the text is the same on every machine."""
    return _ADDRESS.sub("", log.replace(f"file:{path.absolute()}", path.name).replace(str(path), path.name))


def _packet(line: str) -> tuple[int, int, int] | None:
    """Parse track, time and duration of a packet; None for other lines and packets that are never shown."""
    fields = line.split(",", 4)
    flags = _FLAGS.search(line)
    if len(fields) < 5 or (flags and int(flags.group(1), 16) & _DISCARDED):
        return None
    track, decode_time, show_time, duration = (int(field) for field in fields[:4])
    # AVI and MPEG program streams time only some packets for display
    return track, decode_time if show_time == _UNKNOWN_TIME else show_time, max(0, duration)


def _track(header: dict[str, str], listed: list[tuple[int, int]]) -> MediaTrack:
    width, _, height = header.get("dimensions", "0x0").partition("x")
    across, down = (int(text) for text in header.get("sar", "0/1").split("/"))
    times = np.array(listed, dtype=np.int64)
    return MediaTrack(
        kind=header.get("media_type", "data"),
        codec=header.get("codec_id", "unknown"),
        time_base=Fraction(header.get("tb", "1/1")),
        width=int(width),
        height=int(height),
        pixel_aspect=Fraction(across, down) if across > 0 and down > 0 else Fraction(1),
        ticks=times[:, 0],
        duration_ticks=times[:, 1],
    )


def _declared_s(log: str) -> float | None:
    found = _DURATION.search(log)
    if found is None:
        return None
    hours, minutes, seconds = found.groups()
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def _color_matrix(log: str) -> str:
    """Return the colour matrix, for example bt709 of "yuv420p(tv, bt709/unknown/unknown, progressive)"."""
    found = _PIXEL_FORMAT.search(log)
    words = found.group(1).replace("/", ", ").split(", ") if found else []
    return next((_COLOR_MATRICES[word] for word in words[:2] if word in _COLOR_MATRICES), "bt601")
