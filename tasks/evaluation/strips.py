"""Rows of small pictures: RGB, depth in colours with its scale, errors, and an animation."""

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
"""Name, label and note of a strip, and its tiles."""
ERROR_COLORS: Tile = matplotlib.colormaps["RdBu"](np.arange(256), bytes=True)[:, :3]
"""Too near is red, right is white, too far is blue."""
MOST_ERROR_MM = 10.0
FRAME_MS = 40


def rgb_tile(rgb: Tensor) -> Tile:
    """(3, H, W) in [0, 1] as a tile."""
    picture = (rgb.permute(1, 2, 0).clamp(0, 1) * 255).round().byte().numpy()
    return np.asarray(cv2.resize(picture, (TILE_PX, TILE_PX), interpolation=cv2.INTER_CUBIC))


def metres_tile(depth_m: Tensor, mask: Tensor, rgb: Tensor, *, near_m: float, far_m: float) -> Tile:
    """Depth (H, W) m on its mask, near bright, a line every 10 mm."""
    size = (TILE_PX, TILE_PX)
    metres = cv2.resize(depth_m.float().numpy(), size, interpolation=cv2.INTER_LINEAR)
    shown = cv2.resize(mask.byte().numpy(), size, interpolation=cv2.INTER_NEAREST) > 0
    return depth_tile(rgb_tile(rgb), np.where(shown, metres, 0.0), near_m=near_m, far_m=far_m)


def code_tile(code: Tensor) -> Tile:
    """A depth code (H, W) in grey, near bright: of samples, which have no metres."""
    grey = ((1 - code.clamp(-1, 1)) / 2 * 255).round().byte().numpy()
    small = np.repeat(grey[..., None], 3, axis=2)
    return np.asarray(cv2.resize(small, (TILE_PX, TILE_PX), interpolation=cv2.INTER_CUBIC))


def error_tile(error_mm: Tensor, mask: Tensor) -> Tile:
    """Estimate - truth (H, W) mm on the mask."""
    level = ((error_mm / MOST_ERROR_MM).clamp(-1, 1) + 1) / 2
    colors = ERROR_COLORS[(level * 255).round().long().numpy()]
    colors[~mask.numpy()] = 40
    return np.asarray(cv2.resize(colors, (TILE_PX, TILE_PX), interpolation=cv2.INTER_NEAREST))


def write_strip(folder: Path, name: str, label: str, tiles: Sequence[Tile], *, note: str = "") -> PictureRow:
    """Tiles side by side as pictures/<name>.png."""
    file = f"pictures/{name}.png"
    write_result(folder, file, _encoded(np.concatenate(list(tiles), axis=1), "PNG"))
    return PictureRow(label=label, file=file, note=note)


def write_strips(folder: Path, strips: Iterable[LabelledTiles]) -> tuple[PictureRow, ...]:
    """All of a page, in order."""
    return tuple(write_strip(folder, name, label, tiles, note=note) for name, label, note, tiles in strips)


def write_animation(folder: Path, name: str, frames: Sequence[Tile]) -> str:
    """Frames at 25 fps as pictures/<name>.webp, without end."""
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
