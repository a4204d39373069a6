"""Stage landmarks: 478 MediaPipe points of the main face in every frame, and the part worth keeping."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from model.settings import Settings
from tasks.faces.clip_parts import (
    ClipPart,
    CutSettings,
    landmark_jumps,
    longest_part,
    rejection,
    short_gaps,
    shot_starts,
)
from tasks.faces.follow_face import FaceSearch, FollowSettings, follow_face
from tasks.media.video_files import read_frames
from tasks.reasons import Reason, Rejected
from tasks.stage import Json, Stage, StageInput, StageOutput

_FOREHEAD, _CHIN = 10, 152
_RIGHT_EYE, _LEFT_EYE = 33, 263
_RIGHT_CHEEK, _LEFT_CHEEK = 234, 454


class LandmarkSettings(Settings):
    """Which faces, and which frames of a clip, are usable."""

    watch: FollowSettings = FollowSettings()
    """How faces are searched for."""
    cuts: CutSettings = CutSettings()
    """How scene cuts are recognised."""
    shortest_part_frames: PositiveInt = 18
    """Fewest frames of a usable part: 4 motion frames and 14 generated frames."""
    longest_gap_frames: NonNegativeInt = 2
    """Longest run of frames without a face that is interpolated, with presence 0."""
    most_gaps: float = Field(default=0.05, ge=0, lt=1)
    """Largest share of interpolated frames in a part; above it, gaps divide the part."""
    least_face_px: PositiveFloat = 96
    """Smallest face height, forehead to chin, in pixels of the source file; median over the part."""
    rival_area: float = Field(default=0.6, gt=0)
    """Smallest area of a second face that counts, relative to the area of the main face."""
    most_rivals: float = Field(default=0.1, ge=0, lt=1)
    """Largest share of the searched frames that may have such a second face."""
    largest_roll_deg: PositiveFloat = 40
    """Steepest eye line, degrees; frames beyond it are left out."""
    largest_yaw_deg: PositiveFloat = 60
    """Largest yaw, degrees; frames beyond it are left out, because landmarks are biased there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _FaceAngles:
    roll_deg: NDArray[np.float64]
    yaw_deg: NDArray[np.float64]
    height_px: NDArray[np.float64]


def run(stage_input: StageInput, settings: LandmarkSettings) -> StageOutput:
    """Detect the landmarks of all frames of the video; the values name the longest good part.

    Raises:
        Rejected: no_face, many_faces, small_face, bad_pose, lost_face or scene_cut.
    """
    # here and not above: a build that has nothing to do reads the settings and does not load mediapipe
    from tasks.faces.face_landmarker import FaceLandmarker

    with FaceLandmarker(
        stage_input.blobs.get("face_landmarker"), confidence=settings.watch.confidence
    ) as landmarker:
        watch = follow_face(
            read_frames(stage_input.blobs["video"], pixel_format="rgb24"),
            landmarker,
            settings=settings.watch,
            picture_change=settings.cuts.weak_change,
        )
        detector = landmarker.name
    # resample may have made the video smaller; a turned source keeps its longer side
    source_px = max(stage_input.values["source_width"], stage_input.values["source_height"])
    judged = judge(watch, settings, source_scale=source_px / max(watch.frame_size))
    path = stage_input.scratch / "landmarks.npz"
    np.savez(path, landmarks=judged.landmarks, presence=judged.presence, score=watch.score)
    return StageOutput(files={"landmarks": path}, values={**judged.values, "detector": detector})


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Landmarks with short gaps closed, and figures of the part that is kept."""

    landmarks: NDArray[np.float32]
    """(N, 478, 3) px; NaN where there is no face."""
    presence: NDArray[np.float32]
    """(N,), 1 = found, 0 = interpolated or absent."""
    values: dict[str, Json]


def judge(watch: FaceSearch, settings: LandmarkSettings, *, source_scale: float) -> Judged:
    """Choose the longest good part of the clip.

    Args:
        watch: faces and landmarks that were found.
        settings: the limits.
        source_scale: source pixels per video pixel.

    Raises:
        Rejected: there is no such part.
    """
    missing = watch.score == 0
    starts = shot_starts(watch.change, landmark_jumps(watch.landmarks), settings.cuts)
    bridged = short_gaps(missing, starts, settings.longest_gap_frames)
    pose = _pose(_interpolated(watch.landmarks, bridged))
    part = _part(missing, bridged, starts, pose, settings)
    if bridged[_slice(part)].mean() > settings.most_gaps:
        bridged = np.zeros_like(bridged)
        part = _part(missing, bridged, starts, pose, settings)
    _check_faces(watch, pose, part, settings, source_scale)
    return Judged(
        landmarks=_interpolated(watch.landmarks, bridged),
        presence=np.asarray(~missing, np.float32),
        values=_values(watch, pose, part, bridged, source_scale),
    )


def _part(
    missing: NDArray[np.bool_],
    bridged: NDArray[np.bool_],
    starts: NDArray[np.bool_],
    pose: _FaceAngles,
    settings: LandmarkSettings,
) -> ClipPart:
    steep = np.abs(pose.roll_deg) > settings.largest_roll_deg
    aside = np.abs(pose.yaw_deg) > settings.largest_yaw_deg
    faults = [
        Reason.LOST_FACE if lost else Reason.BAD_POSE if bad else None
        for lost, bad in zip(missing & ~bridged, steep | aside, strict=True)
    ]
    part = longest_part(faults, starts)
    if part.frames < settings.shortest_part_frames:
        raise Rejected(*rejection(faults, starts, part, settings.shortest_part_frames))
    return part


def _check_faces(
    watch: FaceSearch, pose: _FaceAngles, part: ClipPart, settings: LandmarkSettings, source_scale: float
) -> None:
    turned = watch.turned[_slice(part)]
    if np.nansum(turned) > np.isfinite(turned).sum() / 2:
        raise Rejected(
            Reason.BAD_POSE,
            f"the face scores better turned in {np.nansum(turned):.0f} of {np.isfinite(turned).sum()} frames "
            "tried, need upright; rotate the source",
        )
    height_px = float(np.median(pose.height_px[_slice(part)])) * source_scale
    if height_px < settings.least_face_px:
        raise Rejected(
            Reason.SMALL_FACE,
            f"face height {height_px:.0f} px of the source, need {settings.least_face_px:g}",
        )
    share = _rival_share(watch, part, settings.rival_area)
    if share > settings.most_rivals:
        raise Rejected(
            Reason.MANY_FACES,
            f"a second face of more than {settings.rival_area:.0%} of the main face's area in {share:.0%} of "
            f"the frames searched, at most {settings.most_rivals:.0%}",
        )


def _values(
    watch: FaceSearch, pose: _FaceAngles, part: ClipPart, bridged: NDArray[np.bool_], source_scale: float
) -> dict[str, Json]:
    kept = _slice(part)
    return {
        "first_frame": part.first,
        "frames": part.frames,
        "part_reason": None if part.reason is None else str(part.reason),
        "face_height_px": _rounded(np.median(pose.height_px[kept]) * source_scale),
        "face_score": _rounded(np.median(watch.score[kept])),
        "face_found": _rounded(np.mean(watch.score > 0)),
        "gap_frames": int(bridged[kept].sum()),
        "roll_deg": _rounded(np.median(pose.roll_deg[kept])),
        "largest_rival": _rounded(np.nanmax(watch.rival[kept], initial=0.0)),
    }


def _rival_share(watch: FaceSearch, part: ClipPart, rival_area: float) -> float:
    rivals = watch.rival[_slice(part)]
    return float((rivals > rival_area).sum() / max(np.isfinite(rivals).sum(), 1))


def _pose(landmarks: NDArray[np.float32]) -> _FaceAngles:
    """Roll of the eye line, yaw of the cheeks (MediaPipe's own z) and height, each (N,)."""
    points = landmarks.astype(np.float64)
    eyes = points[:, _LEFT_EYE] - points[:, _RIGHT_EYE]
    cheeks = points[:, _LEFT_CHEEK] - points[:, _RIGHT_CHEEK]
    return _FaceAngles(
        roll_deg=np.degrees(np.arctan2(eyes[:, 1], eyes[:, 0])),
        yaw_deg=np.degrees(np.arctan2(cheeks[:, 2], np.hypot(cheeks[:, 0], cheeks[:, 1]))),
        height_px=np.linalg.norm(points[:, _CHIN, :2] - points[:, _FOREHEAD, :2], axis=1),
    )


def _interpolated(landmarks: NDArray[np.float32], gaps: NDArray[np.bool_]) -> NDArray[np.float32]:
    known = np.flatnonzero(~np.isnan(landmarks[:, 0, 0]))
    filled = landmarks.copy()
    for frame in np.flatnonzero(gaps):
        after = int(np.searchsorted(known, frame))
        low, high = known[after - 1], known[after]
        weight = np.float32((frame - low) / (high - low))
        filled[frame] = (1 - weight) * landmarks[low] + weight * landmarks[high]
    return filled


def _slice(part: ClipPart) -> slice:
    return slice(part.first, part.first + part.frames)


def _rounded(value: float | np.floating[Any]) -> float:
    return round(float(value), 4)


STAGE = Stage(
    name="landmarks",
    version=1,
    run=run,
    settings_type=LandmarkSettings,
    tools=("ffmpeg", "mediapipe", "opencv-contrib-python", "numpy"),
)
