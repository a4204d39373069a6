"""Stage pack: a clip that comes as numbered pictures becomes the 25 fps video that resample would make.

Such clips have no file to probe and no sound; the stages probe and resample leave them alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import PositiveFloat, PositiveInt

from model.settings import Settings
from tasks.media.capture_inputs import read_image
from tasks.media.frame_plan import FRAME_RATE, FramePlan, plan_frames
from tasks.media.video_files import write_video
from tasks.reasons import Reason, Rejected
from tasks.stage import Stage, StageInput, StageOutput
from tasks.stages.resample_media import MotionMeter


class PackSettings(Settings):
    """Which clips of pictures are accepted; the limits are those for videos."""

    min_frames: PositiveInt = 18
    """Shortest clip, frames at 25 fps."""
    max_frames: PositiveInt = 90_000
    """Longest clip, frames at 25 fps."""
    min_fps: PositiveFloat = 12.0
    """Lowest frame rate."""
    min_motion: PositiveFloat = 3.0
    """Largest change of any of 64 x 36 cells against the first frame, grey levels; less is a still."""


def run(stage_input: StageInput, settings: PackSettings) -> StageOutput:
    """Write the planned frames.

    Reads the pictures `image/<k>`, shown at k / `images_fps` seconds; writes `video`.

    Raises:
        Rejected: low_fps, too_short, too_large, static_video, or a picture is broken.
    """
    pictures = [path for role, path in sorted(stage_input.blobs.items()) if role.startswith("image/")]
    fps = float(stage_input.values["images_fps"])
    plan = _plan(len(pictures), fps, settings)
    height, width = read_image(pictures[0], size=None).shape[:2]
    video = stage_input.scratch / "video.mp4"
    motion = MotionMeter()
    write_video(video, _planned(pictures, plan.source_frames, (width, height), motion), profile="source")
    if motion.largest < settings.min_motion:
        raise Rejected(
            Reason.STATIC_VIDEO,
            f"no part changes by more than {motion.largest:.2f} grey levels, need {settings.min_motion:g}",
        )
    return StageOutput(
        files={"video": video},
        values={
            "source_width": width,
            "source_height": height,
            "source_fps": fps,
            "source_frames": len(plan.source_frames),
            "duration_s": len(plan.source_frames) / FRAME_RATE,
            "duplicated_frames": plan.duplicated,
            "dropped_frames": plan.dropped,
            "largest_shift_s": round(plan.largest_shift_s, 6),
            "motion": round(motion.largest, 2),
            "has_audio": False,
        },
    )


def _plan(pictures: int, fps: float, settings: PackSettings) -> FramePlan:
    if fps < settings.min_fps:
        raise Rejected(Reason.LOW_FPS, f"{fps:g} pictures a second, need {settings.min_fps:g} or more")
    if pictures > settings.max_frames * fps / FRAME_RATE:
        raise Rejected(
            Reason.TOO_LARGE, f"{pictures} pictures at {fps:g} fps, limit {settings.max_frames} at 25 fps"
        )
    rate = Fraction(str(fps))
    times_s = [k / rate for k in range(pictures)]
    plan = plan_frames(times_s, start_s=Fraction(0), end_s=pictures / rate)
    if len(plan.source_frames) < settings.min_frames:
        raise Rejected(
            Reason.TOO_SHORT,
            f"{len(plan.source_frames)} frames at {FRAME_RATE} fps, need {settings.min_frames}",
        )
    return plan


def _planned(
    pictures: Sequence[Path], chosen: Sequence[int], size: tuple[int, int], motion: MotionMeter
) -> Iterator[NDArray[np.uint8]]:
    """Read the pictures in the order and number that the plan gives, cut to even sides."""
    shown = -1
    picture = np.empty((0, 0, 3), np.uint8)
    for index in chosen:
        if index != shown:
            picture = read_image(pictures[index], size=size)[: size[1] // 2 * 2, : size[0] // 2 * 2]
            motion.see(np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8))
            shown = index
        yield picture


STAGE = Stage(
    name="pack",
    version=1,
    run=run,
    settings_type=PackSettings,
    tools=("ffmpeg", "opencv-contrib-python", "pillow", "numpy"),
)
