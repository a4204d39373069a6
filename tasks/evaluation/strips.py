"""Pictures of the page: strips of small tiles with RGB, depth and errors, and an animation."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from tasks.evaluation.results import PictureRow, write_result
from tasks.report.contact_sheet import TILE_PX, depth_tile

Tile = NDArray[np.uint8]
LabelledTiles = tuple[str, str, str, list[Tile]]
"""Name, label, note and tiles of a strip."""
ERROR_COLORS: Tile = matplotlib.colormaps["RdBu"](np.arange(256), bytes=True)[:, :3]
"""Colours of errors, (256, 3): red is too near, white is right, blue is too far."""
MOST_ERROR_MM = 10.0
"""Errors from this size on have full colour."""
FRAME_MS = 40
"""Duration of a frame of the animation: 25 frames a second."""


def rgb_tile(rgb: Tensor) -> Tile:
    """Tile of a picture (3, H, W) in [0, 1]."""
    picture = (rgb.permute(1, 2, 0).clamp(0, 1) * 255).round().byte().numpy()
    return np.asarray(cv2.resize(picture, (TILE_PX, TILE_PX), interpolation=cv2.INTER_CUBIC))


def metres_tile(depth_m: Tensor, mask: Tensor, rgb: Tensor, *, near_m: float, far_m: float) -> Tile:
    """Tile of depth (H, W) in metres on its mask (H, W): near is bright, with a contour line every 10 mm."""
    size = (TILE_PX, TILE_PX)
    metres = cv2.resize(depth_m.float().numpy(), size, interpolation=cv2.INTER_LINEAR)
    shown = cv2.resize(mask.byte().numpy(), size, interpolation=cv2.INTER_NEAREST) > 0
    return depth_tile(rgb_tile(rgb), np.where(shown, metres, 0.0), near_m=near_m, far_m=far_m)


def code_tile(code: Tensor) -> Tile:
    """Grey tile of a depth code (H, W) without metres, as samples have it: near is bright."""
    grey = ((1 - code.clamp(-1, 1)) / 2 * 255).round().byte().numpy()
    small = np.repeat(grey[..., None], 3, axis=2)
    return np.asarray(cv2.resize(small, (TILE_PX, TILE_PX), interpolation=cv2.INTER_CUBIC))


def error_tile(error_mm: Tensor, mask: Tensor) -> Tile:
    """Tile of the error, estimate - ground truth (H, W) in mm, on the mask (H, W); grey outside."""
    # -MOST_ERROR_MM .. MOST_ERROR_MM to 0 .. 1 along the colours
    level = ((error_mm / MOST_ERROR_MM).clamp(-1, 1) + 1) / 2
    colors = ERROR_COLORS[(level * 255).round().long().numpy()]
    colors[~mask.numpy()] = 40
    return np.asarray(cv2.resize(colors, (TILE_PX, TILE_PX), interpolation=cv2.INTER_NEAREST))


def write_strip(folder: Path, name: str, label: str, tiles: Sequence[Tile], *, note: str = "") -> PictureRow:
    """Write tiles side by side as pictures/<name>.png."""
    file = f"pictures/{name}.png"
    write_result(folder, file, _encoded(np.concatenate(list(tiles), axis=1), "PNG"))
    return PictureRow(label=label, file=file, note=note)


def write_strips(folder: Path, strips: Iterable[LabelledTiles]) -> tuple[PictureRow, ...]:
    """Write all strips of a page, in order."""
    return tuple(write_strip(folder, name, label, tiles, note=note) for name, label, note, tiles in strips)


def write_animation(folder: Path, name: str, frames: Sequence[Tile]) -> str:
    """Write frames as the endless animation pictures/<name>.webp, and return its path below the folder."""
    first, *rest = [Image.fromarray(frame) for frame in frames]
    data = io.BytesIO()
    first.save(
        data, "WEBP", save_all=True, append_images=rest, duration=FRAME_MS, loop=0, quality=80, method=4
    )
    file = f"pictures/{name}.webp"
    write_result(folder, file, data.getvalue())
    return file


def _encoded(picture: Tile, kind: str, **options: Any) -> bytes:
    data = io.BytesIO()
    Image.fromarray(picture).save(data, kind, **options)
    return data.getvalue()
