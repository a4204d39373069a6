"""Small published clips with crop, depth and mask videos, without a build."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from model.samples.manifest import ManifestRow
from rendering.skin.depth_map import DepthScale
from tasks.media.video_files import read_frames, write_video
from tasks.store.blobs import Store

SIDE = 64
NEAR_M, FAR_M = 0.6, 0.8


def clip_arrays(frames: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """RGB (N,S,S,3) uint8, depth (N,S,S) m with 0 outside a disc, mask (N,S,S) uint8 a smaller disc."""
    axis = np.linspace(-1, 1, SIDE)
    radius = np.hypot(axis[:, None], axis[None])
    tilt = np.linspace(-0.02, 0.02, frames)[:, None, None] * axis
    depth = np.where(radius < 0.8, NEAR_M + 0.05 + 0.1 * radius + tilt, 0.0).astype(np.float32)
    colors = 60 + 10 * seed + 100 * (depth[..., None] > 0) * np.array([1.0, 0.8, 0.6])
    mask = np.broadcast_to(np.where(radius < 0.7, 255, 0), depth.shape)
    return colors.astype(np.uint8), depth, mask.astype(np.uint8)


def write_clip(folder: Path, frames: int, seed: int = 0) -> tuple[dict[str, Path], dict[str, Any]]:
    """The clip's files by role, and its values."""
    folder.mkdir(parents=True)
    rgb, depth, mask = clip_arrays(frames, seed)
    scale = DepthScale.of_range(NEAR_M, FAR_M)
    files = {role: folder / name for role, name in FILES.items()}
    write_video(files["crop"], rgb, profile="crop")
    write_video(files["depth"], (scale.encode(frame) for frame in depth), profile="depth")
    write_video(files["mask"], mask, profile="mask")
    values = {
        "depth_near_m": NEAR_M,
        "depth_far_m": FAR_M,
        "depth_scale_m": scale.scale_m,
        "depth_offset_m": scale.offset_m,
    }
    return files, values


def count_frames(path: Path) -> int:
    return sum(1 for _ in read_frames(path, pixel_format="gray"))


FILES = {"crop": "crop.mp4", "depth": "depth.mkv", "mask": "mask.mkv"}


def stored_row(
    store: Store, folder: Path, name: str, frames: int, *, speech: bool = False, **facts: Any
) -> ManifestRow:
    """A published row whose blobs are in the store."""
    files, values = write_clip(folder / name, frames, seed=len(name))
    if speech:
        files["speech"] = folder / name / "speech.npz"
        np.savez(files["speech"], features=np.arange(frames * 6).reshape(frames, 2, 3).astype(np.float16))
    blobs = {role: store.put_file(path, move=False).sha256 for role, path in files.items()}
    row = {
        "clip_id": name,
        "kind": "wild",
        "source_name": name,
        "subject_id": name,
        "split": "train",
        "status": "published",
        "frames": frames,
        "blobs": blobs,
    }
    return ManifestRow.model_validate({**row, **values, **facts})
