"""Write one clip of a version in plain formats, so that anyone can check it with other tools."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.samples.manifest import ManifestRow
from rendering.skin.depth_map import DepthScale
from tasks.media.video_files import PixelFormat, read_frames
from tasks.roles import BY_NAME, Role
from tasks.store.blobs import Store
from tasks.store.versions import Version, read_version

CROP_PX = 512


class NotShown(LookupError):  # noqa: N818  # names the state
    """The version has no such published clip."""


def show_clip(store: Store, name: str, clip_id: str, out: Path, *, number: int | None = None) -> list[str]:
    """Write a published clip's files into `out` and return their names.

    tasks/roles.py says which file each role becomes: crop.mp4; depth_m.npy (N,512,512) float32 camera-space
    z in metres, 0 = no surface; mask.npy (N,512,512) uint8, 255 = skin; landmarks.npy (N,478,3) crop px;
    fit.npz and face_model.npz or, for a studio capture, capture.npz; audio.wav; wav2vec.npy. clip.json
    describes them. A file that the clip does not have is left out. Every blob is hashed before it is used.

    Raises:
        NotShown: the version has no such published clip.
    """
    version = read_version(store, name, number=number)
    row = _published_row(version, clip_id)
    out.mkdir(parents=True, exist_ok=True)
    for role_name, digest in row.blobs.items():
        _write(BY_NAME[role_name], store.checked_blob(digest), row, out)
    (out / "clip.json").write_text(json.dumps(_describe(version, row), indent=2, allow_nan=False) + "\n")
    return sorted(path.name for path in out.iterdir())


def _write(role: Role, blob: Path, row: ManifestRow, out: Path) -> None:
    """Write one file of the clip as tasks/roles.py asks for it."""
    if role.shown_as is None:
        return
    target = out / role.shown_as
    if role.name in ("depth", "mask"):
        _write_map(role.name, blob, target, row)
    elif role.array is not None:
        with np.load(blob, allow_pickle=False) as arrays:
            np.save(target, arrays[role.array], allow_pickle=False)
    else:
        # copyfile, not copy: blobs are read-only, what people work with is not
        shutil.copyfile(blob, target)


def _published_row(version: Version, clip_id: str) -> ManifestRow:
    where = f"version {version.number} of {version.name}"
    row = next((row for row in version.rows if row.clip_id == clip_id), None)
    if row is None:
        raise NotShown(
            f"{where} has no clip {clip_id!r}; manifest.parquet lists its {len(version.rows)} clips"
        )
    if row.status != "published":
        raise NotShown(f"{where}: clip {clip_id} was quarantined: {row.reason}: {row.detail}")
    return row


def _write_map(role: str, video: Path, target: Path, row: ManifestRow) -> None:
    """Decode the depth or mask video of a clip into an array."""
    if row.frames is None or row.depth_scale_m is None or row.depth_offset_m is None:
        return
    if role == "mask":
        _unpack_video(video, target, frames=row.frames, pixel_format="gray", convert=np.asarray)
    else:
        scale = DepthScale(scale_m=row.depth_scale_m, offset_m=row.depth_offset_m)
        _unpack_video(video, target, frames=row.frames, pixel_format="gray16le", convert=scale.decode)


def _unpack_video(
    video: Path,
    target: Path,
    *,
    frames: int,
    pixel_format: PixelFormat,
    convert: Callable[[NDArray[Any]], NDArray[Any]],
) -> None:
    """Convert a video into a .npy file with one frame in memory at a time."""
    array = None
    for index, frame in enumerate(read_frames(video, pixel_format=pixel_format, count=frames)):
        converted = convert(frame)
        if array is None:
            shape = (frames, *converted.shape)
            array = np.lib.format.open_memmap(target, "w+", dtype=converted.dtype, shape=shape)  # type: ignore[no-untyped-call]
        array[index] = converted


def _describe(version: Version, row: ManifestRow) -> dict[str, Any]:
    return {
        "dataset": {"name": version.name, "number": version.number, "root": version.root},
        "row": row.model_dump(mode="json"),
        "crop_transform": _matrix(row.crop_transform),
        "camera": {"matrix": _matrix(row.camera_matrix), "width": CROP_PX, "height": CROP_PX},
    }


def _matrix(values: tuple[float, ...] | None) -> list[list[float]] | None:
    """Nine numbers in row-major order -> 3x3 list."""
    return None if values is None else [list(values[start : start + 3]) for start in (0, 3, 6)]
