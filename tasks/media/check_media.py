"""The verdicts on a source file: each check names the value, the limit and the reason code."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from model.settings import Settings
from tasks.media.frame_plan import FRAME_RATE
from tasks.media.media_facts import MediaFacts, MediaTrack, Window
from tasks.reasons import Reason, Rejected

# one packet of these may hold no frame of its own (golden frames, packed or skipped frames)
_MAY_HIDE_FRAMES = ("vp8", "vp9", "av1", "mpeg4", "msmpeg4v3")
_ENDS_EARLY = ("ended prematurely", "partial file", "PES packet size mismatch", "moov atom not found")
_REFUSED = ("not on whitelist", "Not detecting m3u8")
_TOO_MANY_PIXELS = "exceeds specified max pixel count"


class ProbeSettings(Settings):
    """Which source files are accepted, and what examining one may cost."""

    min_frames: PositiveInt = 18
    """Shortest clip, frames at 25 fps: one training window (4 motion frames and 14 frames)."""
    max_frames: PositiveInt = 90_000
    """Longest clip, frames at 25 fps: an hour."""
    min_fps: PositiveFloat = 12.0
    """Lowest real frame rate, Hz; below it every other 25 fps frame would be a repeat."""
    max_frame_gap_s: PositiveFloat = 0.5
    """Longest time without a new frame, seconds."""
    max_av_difference_s: PositiveFloat = 0.5
    """Largest distance between the starts or the ends of picture and sound, and longest gap in sound, s."""
    max_missing_s: NonNegativeFloat = 0.25
    """How much shorter than its declared duration a file may be."""
    max_interval_overrun_s: NonNegativeFloat = 1.0
    """How far a listed interval may reach past the end of the file, seconds; lists count whole seconds."""
    max_file_bytes: PositiveInt = 32 << 30
    """Largest file, bytes."""
    max_pixels: PositiveInt = 4096 * 2304
    """Most pixels in a frame."""
    max_fps: PositiveFloat = 240.0
    """Highest mean frame rate, Hz: a small file can hold a huge number of empty frames."""
    max_file_s: PositiveFloat = 2 * 3600.0
    """Longest file, seconds; a clip may be a part of it."""
    max_file_packets: PositiveInt = 1_000_000
    """Most packets in all tracks of a file."""
    wall_s: PositiveFloat = 900.0
    """Longest time for one run of ffmpeg, seconds; its processor time is limited to the same."""
    memory_bytes: PositiveInt = 2 << 30
    """Most memory that one run of ffmpeg may use, bytes."""


def check_facts(
    facts: MediaFacts, *, starts_as_media: bool, missing: str | None, settings: ProbeSettings
) -> MediaTrack:
    """Check a file by its container alone and return its video track.

    Args:
        facts: facts that ffmpeg tells about the file.
        starts_as_media: the first bytes are those of a known container.
        missing: how the file ends too early; None: it does not.
        settings: the limits.

    Raises:
        Rejected: forbidden_format, encrypted, truncated, not_media, no_video, too_large or corrupt.
    """
    messages = "; ".join(facts.complaints[:3])
    if any(word in line for line in facts.complaints for word in _REFUSED):
        raise Rejected(Reason.FORBIDDEN_FORMAT, f"its format is not one that is read: {messages}")
    if facts.encrypted:
        raise Rejected(Reason.ENCRYPTED, "its tracks are encrypted")
    if missing is not None:
        raise Rejected(Reason.TRUNCATED, missing)
    if not facts.container:
        if starts_as_media:
            raise Rejected(Reason.CORRUPT, f"it starts as a media file and cannot be opened: {messages}")
        raise Rejected(Reason.NOT_MEDIA, f"no format was recognised: {messages}")
    video = facts.first("video")
    if video is None:
        kinds = ", ".join(sorted({track.kind for track in facts.tracks})) or "nothing"
        raise Rejected(Reason.NO_VIDEO, f"it has no video track, only {kinds}")
    _check_size(facts, video, settings=settings)
    _check_declared(facts, settings=settings)
    reject_complaints(facts.complaints)
    return video


def check_length(video: MediaTrack, *, length_s: Fraction, settings: ProbeSettings) -> None:
    """Check how much would be decoded, before anything is decoded.

    Args:
        video: packets of the video.
        length_s: length of the clip, seconds: the whole file or an interval of it.
        settings: the limits.

    Raises:
        Rejected: too_large.
    """
    frames = int(length_s * FRAME_RATE)
    if frames > settings.max_frames:
        raise Rejected(
            Reason.TOO_LARGE,
            f"it has {frames} frames at {FRAME_RATE} fps, the limit is {settings.max_frames}",
        )
    if len(video.ticks) > settings.max_fps * (video.end_s - video.start_s + 1):
        raise Rejected(
            Reason.TOO_LARGE,
            f"it has {len(video.ticks)} frames in {float(video.end_s - video.start_s):.2f} s, "
            f"the limit is {settings.max_fps:g} a second",
        )


def check_decoded(
    video: MediaTrack | None, *, packets: int, codec: str, whole: bool, settings: ProbeSettings
) -> MediaTrack:
    """Check the decoded frames and return their track.

    Args:
        video: decoded frames; None: there are none.
        packets: number of video packets in the file.
        codec: codec of the video.
        whole: the whole file was decoded, not an interval.
        settings: the limits.

    Raises:
        Rejected: corrupt or low_fps.
    """
    frames = 0 if video is None else len(video.ticks)
    if video is None or (whole and frames < packets and codec not in _MAY_HIDE_FRAMES):
        raise Rejected(Reason.CORRUPT, f"{frames} of {packets} frames could be decoded")
    steps = np.diff(video.ticks)
    if len(steps) and steps.min() <= 0:
        raise Rejected(
            Reason.CORRUPT, f"frame {int(steps.argmin()) + 1} is not shown after the one before it"
        )
    gap_s = float(int(steps.max(initial=0)) * video.time_base)
    if gap_s > settings.max_frame_gap_s:
        raise Rejected(
            Reason.CORRUPT,
            f"no frame is shown for {gap_s:.3f} s after frame {int(steps.argmax())}, "
            f"the limit is {settings.max_frame_gap_s:g} s",
        )
    fps = frame_rate(video)
    if fps < settings.min_fps:
        raise Rejected(
            Reason.LOW_FPS, f"{fps:.3f} frames a second are shown, need {settings.min_fps:g} or more"
        )
    return video


def check_sound(
    audio: MediaTrack,
    *,
    decoded: MediaTrack | None,
    video: MediaTrack,
    window: Window | None,
    settings: ProbeSettings,
) -> None:
    """Check the sound against the picture, both on the clock of the file.

    Raises:
        Rejected: corrupt or av_mismatch.
    """
    if decoded is None:
        raise Rejected(Reason.CORRUPT, f"none of {len(audio.ticks)} audio packets could be decoded")
    limit = settings.max_av_difference_s
    starts = _part_start_s(decoded, window) - _part_start_s(video, window)
    ends = _part_end_s(decoded, window) - _part_end_s(video, window)
    hole = decoded.end_s - decoded.start_s - int(decoded.duration_ticks.sum()) * decoded.time_base
    for what, value in (("starts", starts), ("ends", ends)):
        if abs(value) > limit:
            side = "after" if value > 0 else "before"
            raise Rejected(
                Reason.AV_MISMATCH,
                f"the sound {what} {abs(float(value)):.3f} s {side} the picture, the limit is {limit:g} s",
            )
    if abs(hole) > limit:
        raise Rejected(
            Reason.AV_MISMATCH,
            f"{abs(float(hole)):.3f} s of sound are {'missing' if hole > 0 else 'too many'} within the "
            f"track, the limit is {limit:g} s",
        )


def reject_complaints(complaints: Sequence[str]) -> None:
    """Raise if ffmpeg reported lost or damaged data, whatever its exit status.

    Raises:
        Rejected: truncated or corrupt.
    """
    if not complaints:
        return
    messages = "; ".join(complaints[:3])
    early = any(word in line for line in complaints for word in _ENDS_EARLY)
    raise Rejected(
        Reason.TRUNCATED if early else Reason.CORRUPT, f"{len(complaints)} messages of ffmpeg: {messages}"
    )


def frame_rate(video: MediaTrack) -> float:
    """Real frame rate, Hz, from the first to the last frame."""
    span_s = int(video.ticks[-1] - video.ticks[0]) * video.time_base
    return float((len(video.ticks) - 1) / span_s) if span_s else 0.0


def upright_size(video: MediaTrack, *, rotation_deg: float) -> tuple[int, int]:
    """(width, height) of the frames after they are turned upright and given square pixels; both are even."""
    width, height, aspect = video.width, video.height, video.pixel_aspect
    if round(rotation_deg) % 180 == 90:
        width, height, aspect = height, width, 1 / aspect
    square = int(width * aspect + Fraction(1, 2))
    return square // 2 * 2, height // 2 * 2


def _check_size(facts: MediaFacts, video: MediaTrack, *, settings: ProbeSettings) -> None:
    width, height = upright_size(video, rotation_deg=facts.rotation_deg)
    pixels = max(width * height, video.width * video.height)
    if pixels > settings.max_pixels or any(_TOO_MANY_PIXELS in line for line in facts.complaints):
        size = f"{video.width} x {video.height}" if video.width else "larger"
        raise Rejected(
            Reason.TOO_LARGE, f"its frames are {size}, the limit is {settings.max_pixels} pixels a frame"
        )
    for track in facts.tracks:
        length_s = float(track.end_s - track.start_s)
        if length_s > settings.max_file_s:
            raise Rejected(
                Reason.TOO_LARGE,
                f"its {track.kind} lasts {length_s:.1f} s, the limit is {settings.max_file_s:g} s",
            )


def _check_declared(facts: MediaFacts, *, settings: ProbeSettings) -> None:
    end_s = max(track.end_s for track in facts.tracks)
    start_s = min(track.start_s for track in facts.tracks)
    # some containers declare where the file ends, some how long it is
    held_s = float(max(end_s, end_s - start_s))
    if facts.declared_s is not None and facts.declared_s - held_s > settings.max_missing_s:
        raise Rejected(
            Reason.TRUNCATED,
            f"it declares {facts.declared_s:.2f} s and holds {held_s:.2f} s in all its tracks",
        )


def _part_start_s(track: MediaTrack, window: Window | None) -> Fraction:
    return track.start_s if window is None else max(track.start_s, window.start_s)


def _part_end_s(track: MediaTrack, window: Window | None) -> Fraction:
    return track.end_s if window is None else min(track.end_s, window.end_s)
