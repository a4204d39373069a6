"""The manifest of a dataset version: one row for each source.

The consumer owns the schema: tasks write these rows, training reads them.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from model.settings import Record


class ManifestRow(Record, allow_inf_nan=False):
    """One source of a dataset version: published, or quarantined with a reason."""

    clip_id: str
    """Stable id of the source: 16 hex digits of sha256 over what names it (root, source name, interval)."""
    kind: Literal["wild", "studio"]
    """Talking-head clip, or studio capture with a registered mesh."""
    source_name: str
    """Path below its source folder, '/'-separated."""
    source_sha256: str | None = None
    """Digest of the source file (of the canonical list of its files for a studio capture)."""
    subject_id: str
    """The person; the split is by subject."""
    split: Literal["train", "val", "test"]
    status: Literal["published", "quarantined"]
    reason: str | None = None
    """Reason code of tasks/reasons.py: why quarantined, or why a published clip was shortened."""
    detail: str | None = None
    """The reason in words, with values and limits."""
    source_start_s: float | None = None
    """Start of the interval taken from the source file, seconds; None = from the first frame."""
    source_end_s: float | None = None
    """End of the interval; None = to the last frame."""
    source_frames: int | None = None
    """Frames at 25 fps before cuts and lost faces were left out."""
    first_frame: int | None = None
    """The published part starts at this 25 fps frame of the source; 0 unless shortened."""
    frames: int | None = None
    """Published frames."""
    fps: float | None = None
    """Frames per second of the published clip: 25 for wild clips, None for studio stills."""
    source_fps: float | None = None
    source_width: int | None = None
    source_height: int | None = None
    has_audio: bool = False
    audio_samples: int | None = None
    """Samples at 16 kHz: exactly 640 a frame."""
    crop_size_px: float | None = None
    """Side of the crop square in source pixels."""
    crop_transform: tuple[float, ...] | None = None
    """3x3 row-major: crop pixel = T @ source pixel."""
    crop_padded: bool | None = None
    """The square left the frame and was reflect-padded."""
    focal_px: float | None = None
    """Focal length in source pixels (of the full frame)."""
    focal_observable: bool | None = None
    """False: the motion does not determine the focal length and the prior did."""
    camera_matrix: tuple[float, ...] | None = None
    """3x3 row-major intrinsics of the 512 px crop."""
    landmark_nme: float | None = None
    """rms landmark distance / outer eye corner distance, over the landmarks the fit uses."""
    photometric_error: float | None = None
    """Mean absolute grey difference on the visible skin, 0..1."""
    yaw_min_deg: float | None = None
    yaw_max_deg: float | None = None
    depth_near_m: float | None = None
    """Nearest published surface over the clip."""
    depth_far_m: float | None = None
    """Farthest published surface over the clip."""
    depth_scale_m: float | None = None
    """depth_m = depth_offset_m + depth_scale_m * stored value; stored 0 = no surface."""
    depth_offset_m: float | None = None
    mask_source: str | None = None
    """How the skin mask was made, for example "mesh+residual"."""
    speech_model: str | None = None
    """The wav2vec2 network behind the features; "untrained ..." where it has no weights."""
    face_model: str | None = None
    qc: str | None = None
    """Further quality figures as canonical JSON text."""
    blobs: dict[str, str] = Field(default={})
    """Role -> sha256 of every published file of the clip."""
