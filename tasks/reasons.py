"""The reason codes that say why a source was not published; docs/reasons.md explains each."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why a source is quarantined."""

    UNSAFE_PATH = "unsafe_path"
    NOT_REGULAR = "not_regular"
    UNREADABLE = "unreadable"
    EMPTY = "empty"
    NOT_MEDIA = "not_media"
    FORBIDDEN_FORMAT = "forbidden_format"
    TRUNCATED = "truncated"
    CORRUPT = "corrupt"
    ENCRYPTED = "encrypted"
    NO_VIDEO = "no_video"
    TOO_SHORT = "too_short"
    LOW_FPS = "low_fps"
    STATIC_VIDEO = "static_video"
    AV_MISMATCH = "av_mismatch"
    TOO_LARGE = "too_large"
    NO_FACE = "no_face"
    MANY_FACES = "many_faces"
    SMALL_FACE = "small_face"
    BAD_POSE = "bad_pose"
    SCENE_CUT = "scene_cut"
    LOST_FACE = "lost_face"
    LOST_TRACK = "lost_track"
    DUPLICATE = "duplicate"
    TIMEOUT = "timeout"
    CRASHED = "crashed"


class Rejected(Exception):  # noqa: N818  # a verdict on a source, not a fault of the program
    """A source cannot be published. This becomes the reason and detail of its row and never fails a shard."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
