"""A published clip as training pictures: its crop, depth and mask videos at a smaller size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open

from model.samples.depth_code import DepthRange
from model.samples.pictures import Pictures, shrink
from rendering.skin.depth_map import DepthScale
from tasks.media.video_files import read_frames
from tasks.stage import Json

BLACK_TO = 127


def clip_range(values: Mapping[str, Json]) -> DepthRange:
    """The clip's near and far: its nearest and farthest published surface."""
    return DepthRange(near_m=values["depth_near_m"], far_m=values["depth_far_m"])


def clip_pictures(
    blobs: Mapping[str, Path], values: Mapping[str, Json], *, side_px: int, frames_at_once: int
) -> Iterator[Pictures]:
    """All frames of a clip in order, up to frames_at_once in each batch; memory is flat in the clip's length.

    Raises:
        ValueError: the three videos are not equally long.
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
    """A clip's cached pictures (tasks/stages/cache_pictures.py), or some of them: no others are read."""
    with safe_open(path, framework="pt") as file:
        rgb, code, mask = (file.get_slice(name)[frames] for name in ("rgb", "code", "mask"))
    return Pictures(rgb=rgb.float() / 127.5 - 1, code=code.float(), mask=mask)
