"""Stage crop: one square for the whole part, its video and its landmarks."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveInt

from model.settings import Settings
from rendering.arrays import Array
from rendering.crop_square import Square, cut_square, square_around, square_within, union_box
from tasks.faces.boxes import landmark_box
from tasks.media.video_files import read_frames, write_video
from tasks.media.video_index import video_size
from tasks.stage import Json, Stage, StageInput, StageOutput

CropSource = Literal["declared", "whole_frame", "face"]


class CropSettings(Settings):
    """How the square lies around the face."""

    side_px: PositiveInt = 512
    """Side of the crop video, px."""
    scale: float = Field(default=2.2, ge=1)
    """Side of the square divided by the longer side of the face box over the clip."""
    shift_up: float = Field(default=0.1, ge=0, le=0.5)
    """How far the centre of the square lies above that of the face box, as a share of its side."""
    percentile: float = Field(default=5.0, ge=0, lt=50)
    """Percentile over the frames that gives the sides of the face box; single frames do not stretch it."""
    least_scale: float = Field(default=1.2, ge=1)
    """The square is moved inside the frame if it then still contains the face box grown by this share;
    else it is padded."""
    whole_frame_from: float = Field(default=0.75, gt=0)
    """A square frame is the crop as it is if the square would have at least this share of its side."""
    largest_declared_scale: float = Field(default=4.0, gt=1)
    """A declared crop that is wider than this many face boxes is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenCrop:
    """The square, the rule that chose it, and whether it leaves the frame."""

    square: Square
    source: CropSource
    padded: bool


def run(stage_input: StageInput, settings: CropSettings) -> StageOutput:
    """Crop video and landmarks of the part that the landmarks stage chose."""
    first, count = stage_input.values["first_frame"], stage_input.values["frames"]
    with np.load(stage_input.blobs["landmarks"], allow_pickle=False) as arrays:
        whole = dict(arrays)
    part = {name: array[first : first + count] for name, array in whole.items()}
    source = stage_input.blobs["video"]
    width, height = video_size(source)
    chosen = choose_crop(
        landmark_box(part["landmarks"]),
        width=width,
        height=height,
        declared=stage_input.values.get("declared_crop"),
        settings=settings,
    )
    transform = chosen.square.transform(settings.side_px)
    video, points = stage_input.scratch / "crop.mp4", stage_input.scratch / "crop_landmarks.npz"
    if count == len(whole["landmarks"]) and chosen.square.is_frame(width, height, crop_px=settings.side_px):
        # every pixel is kept as it is: coding it again would only lose a little
        shutil.copyfile(source, video)
    else:
        frames = read_frames(source, pixel_format="rgb24", start=first, count=count)
        crops = (cut_square(frame, chosen.square, crop_px=settings.side_px) for frame in frames)
        write_video(video, crops, profile="crop")
    np.savez(points, **{**part, "landmarks": cropped_landmarks(part["landmarks"], transform)})
    values: dict[str, Json] = {
        "first_frame": first,
        "frames": count,
        "frame_width": width,
        "frame_height": height,
        "crop_size_px": float(chosen.square.side),
        "crop_side_px": settings.side_px,
        "crop_transform": [float(entry) for entry in transform.ravel()],
        "crop_padded": chosen.padded,
        "crop_source": chosen.source,
    }
    return StageOutput(files={"crop": video, "crop_landmarks": points}, values=values)


def choose_crop(
    boxes: Array,
    *,
    width: int,
    height: int,
    declared: dict[str, float] | None,
    settings: CropSettings,
) -> ChosenCrop:
    """Choose one square for all frames.

    Args:
        boxes: landmark box of the face in each frame, (N, 4) px.
        width: width of the frames, px.
        height: height of the frames, px.
        declared: the data set's own crop, {"x", "y", "w", "h", "ref_height"} in px of a frame that is
            ref_height high; taken where it fits this frame and this face.
        settings: how the square is placed.
    """
    box = union_box(boxes, percentile=settings.percentile)
    if declared is not None:
        square = _declared_square(declared, box, width=width, height=height, settings=settings)
        if square is not None:
            return ChosenCrop(square=square, source="declared", padded=False)
    wish = square_around(box, scale=settings.scale, shift_up=settings.shift_up)
    if width == height and wish.side >= settings.whole_frame_from * width:
        return ChosenCrop(square=Square(left=0, top=0, side=width), source="whole_frame", padded=False)
    within = square_within(wish, box, width=width, height=height, least_scale=settings.least_scale)
    if within is not None:
        return ChosenCrop(square=within, source="face", padded=False)
    return ChosenCrop(square=wish, source="face", padded=wish.leaves(width, height))


def _declared_square(
    declared: dict[str, float],
    box: Array,
    *,
    width: int,
    height: int,
    settings: CropSettings,
) -> Square | None:
    """Return the declared crop in this frame; None if it cannot be right, as in some rows of HDTF."""
    if declared["ref_height"] <= 0:
        return None
    scale = height / declared["ref_height"]
    square = Square(
        left=round(declared["x"] * scale),
        top=round(declared["y"] * scale),
        side=round(min(declared["w"], declared["h"]) * scale),
    )
    too_wide = square.side > settings.largest_declared_scale * float((box[2:] - box[:2]).max())
    if too_wide or square.leaves(width, height) or not square.contains(box):
        return None
    return square


def cropped_landmarks(landmarks: NDArray[np.float32], transform: NDArray[np.float64]) -> NDArray[np.float32]:
    """Transform landmarks (N, L, 3) by T (3, 3) into crop px; z is scaled like x."""
    scale, offset = transform[0, 0], np.array([transform[0, 2], transform[1, 2], 0.0])
    return np.asarray(landmarks * scale + offset, np.float32)


STAGE = Stage(
    name="crop",
    version=2,
    run=run,
    settings_type=CropSettings,
    tools=("ffmpeg", "opencv-contrib-python", "numpy"),
)
