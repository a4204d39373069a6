"""Stage resample: the planned frames as 25 fps video, and the sound on the same clock at 16 kHz."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import ffmpeg
import numpy as np
from numpy.typing import NDArray
from pydantic import PositiveFloat, PositiveInt

from model.settings import Settings
from tasks.media.ffmpeg_tool import command, media_input
from tasks.media.limited_process import LimitedProcess, ProcessLimits, run_limited
from tasks.media.media_facts import Window, anonymous, complaints, video_source
from tasks.media.video_files import (
    SAMPLE_RATE,
    SAMPLES_PER_FRAME,
    SCALER,
    raw_frames,
    write_audio,
    write_video,
)
from tasks.reasons import Reason, Rejected
from tasks.stage import Json, Stage, StageInput, StageOutput

MOTION_GRID = (64, 36)
"""Frames are compared at this size, (width, height): noise averages out, a mouth does not."""


class ResampleSettings(Settings):
    """Which resampled clips are accepted, and what resampling may cost."""

    min_motion: PositiveFloat = 3.0
    """Largest change of any of 64 x 36 cells against the first frame, grey levels of 255; less is a
    still picture."""
    max_pixels: PositiveInt = 4096 * 2304
    """Most pixels in a frame."""
    wall_s: PositiveFloat = 1800.0
    """Longest time for one run of ffmpeg, seconds; its processor time is limited to the same."""
    memory_bytes: PositiveInt = 2 << 30
    """Most memory that one run of ffmpeg may use, bytes."""


def run(stage_input: StageInput, settings: ResampleSettings) -> StageOutput:
    """Write the planned frames and the sound that belongs to them.

    Reads `source` and `plan`; writes `video` and, where the source has sound, `audio`.

    Raises:
        Rejected: corrupt, static_video, timeout or too_large.
    """
    source = stage_input.blobs["source"]
    plan = json.loads(stage_input.blobs["plan"].read_bytes())
    chosen = plan["source_frames"]
    video = stage_input.scratch / "video.mp4"
    motion = MotionMeter()
    decoded = _decoded_frames(source, plan, settings=settings)
    write_video(video, _planned(decoded, chosen=chosen, motion=motion), profile="source")
    if motion.largest < settings.min_motion:
        raise Rejected(
            Reason.STATIC_VIDEO,
            f"no part changes by more than {motion.largest:.2f} grey levels in {len(chosen)} frames, "
            f"need {settings.min_motion:g}",
        )
    figures: dict[str, Json] = {
        "source_frames": len(chosen),
        "motion": round(motion.largest, 2),
        "has_audio": plan["has_audio"],
    }
    files = {"video": video}
    if plan["has_audio"]:
        files["audio"] = stage_input.scratch / "audio.wav"
        samples, sound = _aligned_sound(source, plan, settings=settings)
        write_audio(files["audio"], samples)
        figures |= sound
    return StageOutput(files=files, values=figures)


STAGE = Stage(
    name="resample",
    version=2,
    run=run,
    settings_type=ResampleSettings,
    tools=("ffmpeg",),
)


class MotionMeter:
    """Measure how much a clip moves: the largest change of any cell against the first frame."""

    def __init__(self) -> None:
        self.largest = 0.0
        self._first: NDArray[np.float32] | None = None

    def see(self, grey: NDArray[np.uint8]) -> None:
        """Compare the next frame, (H, W), with the first one."""
        cells = cv2.resize(grey, MOTION_GRID, interpolation=cv2.INTER_AREA).astype(np.float32)
        if self._first is None:
            self._first = cells
        self.largest = max(self.largest, float(np.abs(cells - self._first).max()))


def _planned(
    decoded: Iterator[NDArray[np.uint8]], *, chosen: Sequence[int], motion: MotionMeter
) -> Iterator[NDArray[np.uint8]]:
    """Return the decoded frames in the order and number of the plan; the source is read to its end."""
    position = 0
    for index, planes in enumerate(decoded):
        if position < len(chosen) and chosen[position] == index:
            motion.see(planes[: len(planes) * 2 // 3])
        while position < len(chosen) and chosen[position] == index:
            yield planes
            position += 1


def _decoded_frames(
    source: Path, plan: dict[str, Json], *, settings: ResampleSettings
) -> Iterator[NDArray[np.uint8]]:
    """Decode every frame as yuv420p planes, upright, with square pixels, progressive."""
    video = video_source(source, window=_window(plan), max_pixels=settings.max_pixels)
    video = video.filter("bwdif", mode="send_frame", parity="auto", deint="interlaced")
    video = video.filter("scale", w="round(iw*sar)", h="ih", out_range="tv", flags=SCALER)
    video = video.filter("format", "yuv420p").filter("crop", "trunc(iw/2)*2", "trunc(ih/2)*2", 0, 0)
    if plan["color_matrix"] != "bt601":
        # not the scale filter: it takes 6 ms a 720p frame for this and darkens it by 2 levels
        video = video.filter("colormatrix", plan["color_matrix"], "bt601")
    # the stream needs times that rise, the plan already has the real ones
    video = video.filter("settb", "1/25").filter("setpts", "N").filter("setsar", 1)
    output = ffmpeg.output(
        video,
        "pipe:1",
        format="yuv4mpegpipe",
        strict=-1,
        pix_fmt="yuv420p",
        fps_mode="passthrough",
        threads=1,
        **{"copyts": None, "xerror": None, "enc_time_base:v": "1/25"},
    )
    seen = 0
    size = (plan["height"] * 3 // 2, plan["width"])
    with LimitedProcess(command(output), limits=_limits(settings)) as process:
        for planes in raw_frames(process, pixel_format="yuv420p"):
            if planes.shape != size:
                raise Rejected(Reason.CORRUPT, f"frames are {planes.shape}, the plan says {size} (planes)")
            yield planes
            seen += 1
        end = process.finish()
    found = complaints(anonymous(end.messages, source))
    if end.returncode or found or seen != plan["decoded_frames"]:
        raise Rejected(
            Reason.CORRUPT,
            f"{seen} frames were decoded, the plan counts {plan['decoded_frames']}; "
            f"status {end.returncode}; {'; '.join(found[:3])}",
        )


def _aligned_sound(
    source: Path, plan: dict[str, Json], *, settings: ResampleSettings
) -> tuple[NDArray[np.int16], dict[str, Json]]:
    """Decode the sound from the first planned frame on: 16 kHz mono, exactly 640 samples a frame."""
    wanted = len(plan["source_frames"]) * SAMPLES_PER_FRAME
    start_s = Fraction(plan["start_s"])
    until_s = start_s + Fraction(wanted, SAMPLE_RATE)
    sound = media_input(source)["a:0"]
    sound = sound.filter("atrim", start=f"{float(start_s):.9f}", end=f"{float(until_s):.9f}")
    sound = sound.filter("asetpts", f"PTS-({start_s.numerator}/{start_s.denominator})/TB")
    # silence where the track starts late or has a hole of more than 20 ms; no stretching
    sound = sound.filter("aresample", SAMPLE_RATE, **{"async": 1, "min_hard_comp": 0.02, "first_pts": 0})
    sound = sound.filter("aformat", sample_fmts="s16", channel_layouts="mono")
    output = ffmpeg.output(sound, "pipe:1", format="s16le", threads=1, **{"copyts": None, "xerror": None})
    end = run_limited(command(output), limits=_limits(settings))
    found = complaints(anonymous(end.messages, source))
    if end.returncode or found:
        raise Rejected(Reason.CORRUPT, f"sound: status {end.returncode}; {'; '.join(found[:3])}")
    samples = np.frombuffer(end.stdout, dtype="<i2").astype(np.int16)
    missing = wanted - len(samples)
    aligned = np.pad(samples[:wanted], (0, max(0, missing)))
    return aligned, {"audio_samples": wanted, "audio_padded_samples": missing}


def _window(plan: dict[str, Json]) -> Window | None:
    if plan["window"] is None:
        return None
    start_s, end_s, seeks = plan["window"]
    return Window(start_s=Fraction(start_s), end_s=Fraction(end_s), seeks=seeks)


def _limits(settings: ResampleSettings) -> ProcessLimits:
    return ProcessLimits(wall_s=settings.wall_s, memory_bytes=settings.memory_bytes)
