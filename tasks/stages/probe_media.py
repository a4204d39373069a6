"""Stage probe: check that a source file is sound, and plan its frames at 25 fps.

Nothing is decoded before the declared size, frames and duration are within limits. The plan counts
decoded frames, not packets: that is what the resample stage sees.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

from tasks.media.check_media import (
    ProbeSettings,
    check_decoded,
    check_facts,
    check_length,
    check_sound,
    frame_rate,
    reject_complaints,
    upright_size,
)
from tasks.media.frame_plan import FRAME_RATE, FramePlan, plan_frames
from tasks.media.limited_process import ProcessLimits
from tasks.media.media_facts import MediaFacts, MediaTrack, Window, list_decoded, read_facts
from tasks.media.source_file import is_script, looks_like_media, missing_bytes, open_source
from tasks.reasons import Reason, Rejected
from tasks.stage import Json, Stage, StageInput, StageOutput
from tasks.store.canonical import canonical_json

LISTED_BYTES = 100
"""Most bytes for one packet in a listing; most packets take 50."""

SEEK_FROM_S = 10.0
"""Intervals that start later than this are found by seeking if the container has an index, seconds."""


def run(stage_input: StageInput, settings: ProbeSettings) -> StageOutput:
    """Check one source and plan its 25 fps frames.

    Reads `source`; `source_start_s` and `source_end_s` choose an interval, counted from the first frame
    that the file shows. Writes `plan`.

    Raises:
        Rejected: why the source cannot be used.
    """
    path = stage_input.blobs["source"]
    facts, packets = _inspect(path, settings=settings)
    window = _window(stage_input.values, facts, packets, settings=settings)
    length_s = packets.end_s - packets.start_s if window is None else window.end_s - window.start_s
    check_length(packets, length_s=length_s, settings=settings)
    video, audio = _decode(path, facts, packets, window=window, settings=settings)
    part = (video.start_s, video.end_s) if window is None else (window.start_s, window.end_s)
    times_s = [int(tick) * video.time_base for tick in video.ticks]
    plan = plan_frames(times_s, start_s=part[0], end_s=part[1])
    frames = len(plan.source_frames)
    if frames < settings.min_frames:
        raise Rejected(
            Reason.TOO_SHORT, f"it has {frames} frames at {FRAME_RATE} fps, need {settings.min_frames}"
        )
    width, height = upright_size(packets, rotation_deg=facts.rotation_deg)
    text = canonical_json(
        {
            "source_frames": list(plan.source_frames),
            "decoded_frames": len(video.ticks),
            "start_s": str(part[0]),
            "window": None if window is None else [str(window.start_s), str(window.end_s), window.seeks],
            "width": width,
            "height": height,
            "color_matrix": facts.color_matrix,
            "has_audio": audio is not None,
        }
    )
    target = stage_input.scratch / "plan.json"
    target.write_bytes(text)
    return StageOutput(
        files={"plan": target},
        values={
            "source_width": width,
            "source_height": height,
            **_picture_figures(facts, packets, video, plan),
            **_sound_figures(facts, audio, start_s=part[0]),
        },
    )


STAGE = Stage(
    name="probe",
    version=1,
    run=run,
    settings_type=ProbeSettings,
    tools=("ffmpeg",),
)


def _inspect(path: Path, *, settings: ProbeSettings) -> tuple[MediaFacts, MediaTrack]:
    """Read everything that is known without decoding: the facts, and the packets of the video."""
    size, head, tail = open_source(path, max_bytes=settings.max_file_bytes)
    if is_script(head):
        raise Rejected(Reason.FORBIDDEN_FORMAT, "it is a text that names other files; only media are read")
    facts = read_facts(path, limits=_limits(settings), max_pixels=settings.max_pixels)
    missing = missing_bytes(path, size=size, head=head, tail=tail)
    return facts, check_facts(
        facts, starts_as_media=looks_like_media(head), missing=missing, settings=settings
    )


def _limits(settings: ProbeSettings) -> ProcessLimits:
    return ProcessLimits(
        wall_s=settings.wall_s,
        memory_bytes=settings.memory_bytes,
        stdout_bytes=settings.max_file_packets * LISTED_BYTES,
    )


def _decode(
    path: Path, facts: MediaFacts, packets: MediaTrack, *, window: Window | None, settings: ProbeSettings
) -> tuple[MediaTrack, MediaTrack | None]:
    """Decode picture and sound and check them."""
    audio = facts.first("audio")
    tracks, complaints = list_decoded(
        path,
        window=window,
        has_audio=audio is not None,
        limits=_limits(settings),
        max_pixels=settings.max_pixels,
    )
    reject_complaints(complaints)
    decoded = {track.kind: track for track in tracks}
    video = check_decoded(
        decoded.get("video"),
        packets=len(packets.ticks),
        codec=packets.codec,
        whole=window is None,
        settings=settings,
    )
    if audio is not None:
        check_sound(audio, decoded=decoded.get("audio"), video=video, window=window, settings=settings)
    return video, decoded.get("audio")


def _window(
    values: Mapping[str, Json], facts: MediaFacts, packets: MediaTrack, *, settings: ProbeSettings
) -> Window | None:
    """Return the interval that the list names, on the clock of the file; None for the whole file."""
    after_s, before_s = values.get("source_start_s"), values.get("source_end_s")
    if after_s is None and before_s is None:
        return None
    length_s = packets.end_s - packets.start_s
    until_s = length_s if before_s is None else Fraction(str(before_s))
    if until_s - length_s > settings.max_interval_overrun_s:
        raise Rejected(
            Reason.TRUNCATED,
            f"its list names an interval up to {before_s} s, the video ends after {float(length_s):.2f} s",
        )
    start_s = packets.start_s + Fraction(str(after_s or 0))
    return Window(
        start_s=start_s,
        end_s=packets.start_s + min(until_s, length_s),
        seeks=start_s > SEEK_FROM_S and facts.container.startswith(("mov", "matroska")),
    )


def _picture_figures(
    facts: MediaFacts, packets: MediaTrack, video: MediaTrack, plan: FramePlan
) -> dict[str, Json]:
    return {
        "container": facts.container,
        "video_codec": packets.codec,
        "video_tracks": len(facts.all("video")),
        "coded_width": packets.width,
        "coded_height": packets.height,
        "rotation_deg": facts.rotation_deg,
        "color_matrix": facts.color_matrix,
        "source_fps": round(frame_rate(video), 6),
        "duration_s": len(plan.source_frames) / FRAME_RATE,
        "duplicated_frames": plan.duplicated,
        "dropped_frames": plan.dropped,
        "largest_shift_s": round(plan.largest_shift_s, 6),
    }


def _sound_figures(facts: MediaFacts, audio: MediaTrack | None, *, start_s: Fraction) -> dict[str, Json]:
    tracks = facts.all("audio")
    if audio is None:
        return {"has_audio": False, "audio_tracks": len(tracks)}
    return {
        "has_audio": True,
        "audio_tracks": len(tracks),
        "audio_codec": tracks[0].codec,
        "audio_offset_s": round(float(audio.start_s - start_s), 6),
    }
