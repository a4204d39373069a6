"""Read a published clip for training: crop, depth and mask at a smaller size, and the sound."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor

from model.samples.depth_code import DepthRange
from model.samples.pictures import Pictures, shrink
from rendering.skin.depth_map import DepthScale
from tasks.media.video_files import SAMPLES_PER_FRAME, read_audio, read_frames
from tasks.stage import Json

BLACK_TO = 127
"""Largest grey level of a mask that counts as black."""
FULL_SCALE = 32768
"""Full scale of 16-bit samples."""


def clip_range(values: Mapping[str, Json]) -> DepthRange:
    """Return near and far of a clip: the nearest and the farthest published surface."""
    return DepthRange(near_m=values["depth_near_m"], far_m=values["depth_far_m"])


def clip_pictures(
    blobs: Mapping[str, Path], values: Mapping[str, Json], *, side_px: int, frames_at_once: int
) -> Iterator[Pictures]:
    """Read all frames of a clip in order, at most frames_at_once in each batch, in constant memory.

    Raises:
        ValueError: the three videos have different lengths.
    """
    scale = DepthScale(scale_m=values["depth_scale_m"], offset_m=values["depth_offset_m"])
    frames = zip(
        read_frames(blobs["crop"], pixel_format="rgb24"),
        read_frames(blobs["depth"], pixel_format="gray16le"),
        read_frames(blobs["mask"], pixel_format="gray"),
        strict=True,
    )
    while some := list(islice(frames, frames_at_once)):
        rgb, codes, mask = (np.stack(part) for part in zip(*some, strict=True))
        yield shrink(
            torch.from_numpy(rgb),
            torch.from_numpy(scale.decode(codes)),
            torch.from_numpy(mask > BLACK_TO),
            depth_range=clip_range(values),
            side_px=side_px,
        )


def load_pictures(path: Path, *, frames: slice = slice(None)) -> Pictures:
    """Load the cached pictures of a clip (tasks/stages/cache_pictures.py), or only some of its frames."""
    with safe_open(path, framework="pt") as file:
        rgb, code, mask = (file.get_slice(name)[frames] for name in ("rgb", "code", "mask"))
    return Pictures(rgb=rgb.float() / 127.5 - 1, code=code.float(), mask=mask)


def clip_speech(path: Path, *, frames: int) -> Tensor:
    """Read the sound of the first frames for the video pipeline: (640 * frames,) in [-1, 1], 16 kHz."""
    samples = read_audio(path, count=frames * SAMPLES_PER_FRAME)
    return torch.from_numpy(samples.astype(np.float32) / FULL_SCALE)
