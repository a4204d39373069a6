"""The roles of a clip's files, and what becomes of each: one table.

A role names a file of a clip, whatever stage wrote it. What a version publishes, what card.md lists, what
`show-clip` writes and what training reads all follow from this table.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Purpose = Literal["pictures", "speech", "sound"]
"""What training and its previews read a role for."""


@dataclass(frozen=True, slots=True)
class Role:
    """One kind of file."""

    name: str
    """Key of the file in a clip's blobs; "image/*" stands for all roles that begin with "image/"."""
    holds: str
    """Content and format, as card.md and docs/stages.md say it."""
    published: bool = False
    """Every version holds this file of every clip that has it. Other files are reached through a version's
    provenance."""
    shown_as: str | None = None
    """File that `show-clip` writes."""
    array: str | None = None
    """Array of the .npz file that `show-clip` writes; None: the file itself, or its decoded frames."""
    read_for: Purpose | None = None
    """What training reads it for."""


# fmt: off
ROLES = (
    Role("source", "the source's own video file"),
    Role("image/*", "the source's own pictures"),
    Role("mesh/*", "the capture's own registered meshes"),
    Role("pose/*", "the capture's own head poses"),
    Role("template", "the capture's own template mesh"),
    Role("face_vertices", "the capture's own list of facial vertices"),
    Role("face_landmarker", "a face_landmarker.task file of MediaPipe"),
    Role("speech_config", "config.json of the speech network"),
    Role("speech_weights", "model.safetensors of the speech network"),
    Role("vae_config", "config.json of the VAE"),
    Role("vae_weights", "diffusion_pytorch_model.safetensors of the VAE"),
    Role("plan", "json: which source frame is shown at each 25 fps frame"),
    Role("video", "mp4, h264, 25 fps, without sound: the source at the published frame rate"),
    Role("audio", "wav, s16 mono 16 kHz, 640 samples a frame"),
    Role("landmarks", "npz: landmarks (N, 478, 3) float32 px of the full frame, presence and score (N,)"),
    Role("crop", "mp4, h264, 512 x 512 px; crop pixel = crop_transform @ source pixel",
         published=True, shown_as="crop.mp4", read_for="pictures"),
    Role("crop_landmarks", "npz: the same landmarks in crop pixels",
         published=True, shown_as="landmarks.npy", array="landmarks"),
    Role("fit", "npz: identity (50,), expression (N, 25), rotation (N, 3) axis-angle, translation (N, 3) m, "
         "light",
         published=True, shown_as="fit.npz"),
    Role("face_model", "npz: the face model of the fit, in the native format",
         published=True, shown_as="face_model.npz"),
    Role("capture", "npz: registered mesh in crop camera space, vertices (N, V, 3) m, triangles, "
         "camera_matrix",
         published=True, shown_as="capture.npz"),
    Role("clip_audio", "wav, s16 mono 16 kHz, 640 samples a frame of the published part",
         published=True, shown_as="audio.wav", read_for="sound"),
    Role("depth", "mkv, JPEG-LS gray16le; camera z in m = depth_offset_m + depth_scale_m * value; "
         "0: no surface",
         published=True, shown_as="depth_m.npy", read_for="pictures"),
    Role("mask", "mkv, JPEG-LS gray; 255 = facial skin",
         published=True, shown_as="mask.npy", read_for="pictures"),
    Role("speech", "npz: features (N, layers, width) float16, one row a frame",
         published=True, shown_as="wav2vec.npy", array="features", read_for="speech"),
    Role("pictures", "safetensors: rgb, depth code and mask of every frame at training size"),
    Role("latents", "safetensors: latents of rgb and depth code of every frame"),
)
# fmt: on

BY_NAME = {role.name: role for role in ROLES}
PUBLISHED = tuple(role.name for role in ROLES if role.published)


def read_for(purpose: Purpose) -> tuple[str, ...]:
    """Names of the roles that training reads for a purpose."""
    return tuple(role.name for role in ROLES if role.read_for == purpose)


def check_roles(names: Iterable[str]) -> None:
    """Raise a ValueError for a name that is not in the table."""
    unknown = [name for name in names if name not in BY_NAME]
    if unknown:
        raise ValueError(f"role {unknown[0]!r} is not in tasks/roles.py; it has {sorted(BY_NAME)}")
