"""Tiles and strips: what colours mean, and files that can be opened again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tasks.evaluation.results import PictureRow
from tasks.evaluation.strips import (
    FRAME_MS,
    MOST_ERROR_MM,
    code_tile,
    error_tile,
    metres_tile,
    rgb_tile,
    write_animation,
    write_strip,
    write_strips,
)
from tasks.report.contact_sheet import TILE_PX

SIDE = 16
EVERYWHERE = torch.ones(SIDE, SIDE, dtype=torch.bool)


def left_half() -> torch.Tensor:
    mask = EVERYWHERE.clone()
    mask[:, SIDE // 2 :] = False
    return mask


def test_rgb_keeps_its_colours_and_channels() -> None:
    rgb = torch.tensor([0.2, 0.5, 1.3])[:, None, None].expand(3, SIDE, SIDE)
    tile = rgb_tile(rgb)
    assert tile.shape == (TILE_PX, TILE_PX, 3)
    assert tile.dtype == np.uint8
    assert tile[80, 80].tolist() == [51, 128, 255]


def test_near_codes_are_bright() -> None:
    ramp = torch.linspace(-1, 1, SIDE).expand(SIDE, SIDE)
    tile = code_tile(ramp)
    assert tile[80, 2, 0] > 240
    assert tile[80, -3, 0] < 15
    assert (tile[..., :1] == tile).all()


def test_errors_are_white_where_right_red_too_near_blue_too_far_grey_off_the_mask() -> None:
    error = torch.zeros(SIDE, SIDE)
    error[:4], error[-4:] = -2 * MOST_ERROR_MM, 2 * MOST_ERROR_MM
    tile = error_tile(error, left_half()).astype(int)
    near, right, far = tile[10, 10], tile[80, 10], tile[-10, 10]
    assert near[0] > near[2] + 50
    assert far[2] > far[0] + 50
    assert right.min() > 240
    assert (tile[:, -10] == 40).all()


def test_metres_are_drawn_on_their_mask() -> None:
    depth = torch.linspace(0.6, 0.8, SIDE)[:, None].expand(SIDE, SIDE)
    tile = metres_tile(depth, left_half(), torch.zeros(3, SIDE, SIDE), near_m=0.6, far_m=0.8).astype(int)
    assert tile[:, -10].max() == 0
    assert tile[5, 10].sum() > tile[-5, 10].sum() > 0  # near is bright


def test_strips_are_written_in_order_as_they_are(tmp_path: Path) -> None:
    tiles = [np.full((8, 8, 3), level, np.uint8) for level in (0, 100, 200)]
    assert write_strip(tmp_path, "one", "label", tiles, note="n") == PictureRow(
        label="label", file="pictures/one.png", note="n"
    )
    picture = np.asarray(Image.open(tmp_path / "pictures/one.png"))
    assert np.array_equal(picture, np.concatenate(tiles, axis=1))
    made = write_strips(tmp_path, [("b", "B", "", tiles), ("a", "A", "note", tiles[:1])])
    assert [(strip.label, strip.file, strip.note) for strip in made] == [
        ("B", "pictures/b.png", ""),
        ("A", "pictures/a.png", "note"),
    ]


@pytest.mark.parametrize("frames", [1, 4])
def test_an_animation_has_all_frames_at_25_a_second(tmp_path: Path, frames: int) -> None:
    file = write_animation(
        tmp_path, "talking", [np.full((8, 8, 3), 60 * index, np.uint8) for index in range(frames)]
    )
    animation = Image.open(tmp_path / file)
    assert getattr(animation, "n_frames", 1) == frames
    if frames > 1:
        animation.seek(1)
        animation.load()
        assert animation.info["duration"] == FRAME_MS == 1000 // 25
