from __future__ import annotations

import base64

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rendering.camera import Camera
from tasks.report.contact_sheet import (
    DEPTH_COLORS,
    TILE_BYTES,
    TILE_PX,
    data_uri,
    depth_tile,
    landmark_tile,
    mask_tile,
    mesh_tile,
    shown_frames,
    source_tile,
    square_tile,
)

GREY = np.full((512, 512, 3), 100, np.uint8)


@given(st.integers(1, 5000), st.integers(1, 12))
def test_shown_frames_ascend_inside_the_clip_and_stand_in_the_middle_of_their_share(
    frames: int, columns: int
) -> None:
    shown = shown_frames(frames, columns)
    assert len(shown) == min(frames, columns)
    assert list(shown) == sorted(set(shown))
    assert 0 <= shown[0] <= shown[-1] < frames
    share = frames / len(shown)
    assert all(abs((k + 0.5) - (i + 0.5) * share) <= 0.5 + 1e-9 for i, k in enumerate(shown))


def test_a_wide_frame_is_shown_whole_between_dark_bars() -> None:
    tile = square_tile(np.full((360, 640, 3), 200, np.uint8), side=64)
    assert tile.shape == (64, 64, 3)
    assert (tile[32] == 200).all()
    assert (tile[:13] == 24).all()


def test_the_crop_square_is_drawn_where_the_transform_says() -> None:
    frame = np.zeros((512, 512, 3), np.uint8)
    crop_from_source = np.array([[4.0, 0, -512], [0, 4.0, -1024], [0, 0, 1]])
    tile = source_tile(frame, crop_from_source, crop_px=512, side=128)
    rows, columns = np.nonzero(tile[..., 0] > 128)
    # source 128..256 x 256..384, a quarter of it in tile pixels
    assert (columns.min(), columns.max()) == pytest.approx((32, 64), abs=1.5)
    assert (rows.min(), rows.max()) == pytest.approx((64, 96), abs=1.5)


def test_landmarks_are_bright_dots_at_their_places_and_missing_ones_are_left_out() -> None:
    landmarks = np.full((478, 3), np.nan, np.float32)
    landmarks[5] = (256.0, 128.0, 0.0)
    tile = landmark_tile(np.zeros((512, 512, 3), np.uint8), landmarks, side=128)
    row, column = np.unravel_index(tile[..., 0].argmax(), (128, 128))
    assert (column, row) == pytest.approx((64, 32), abs=1)
    assert (tile > 40).any(axis=-1).sum() < 12


def test_the_mesh_covers_its_projection_and_is_lit_from_above() -> None:
    camera = Camera.centered(1000.0, 512, 512)
    square = np.array([[-0.1, -0.1, 1], [0.1, -0.1, 1], [0.1, 0.1, 1], [-0.1, 0.1, 1]], np.float32)
    # counter-clockwise seen from the camera, where y points down
    triangles = np.array([[0, 3, 2], [0, 2, 1]], np.int32)
    flat = mesh_tile(GREY, square, triangles, camera, side=128)
    changed = (flat != 100).any(axis=-1)
    rows, columns = np.nonzero(changed)
    assert (rows.min(), rows.max()) == pytest.approx((39, 88), abs=1.5)
    assert (columns.min(), columns.max()) == pytest.approx((39, 88), abs=1.5)
    up, down = square.copy(), square.copy()
    up[:2, 2] += 0.1
    down[2:, 2] += 0.1
    brightness = [
        mesh_tile(GREY, one, triangles, camera, side=128)[64, 64].sum() for one in (up, square, down)
    ]
    assert brightness[0] > brightness[1] > brightness[2]


def test_depth_colours_run_from_near_to_far_and_holes_show_the_dark_crop() -> None:
    depth = np.zeros((512, 512))
    depth[:, 128:256] = 0.5
    depth[:, 256:384] = 0.6
    tile = depth_tile(GREY, depth, near_m=0.5, far_m=0.6, side=128).astype(int)
    assert np.abs(tile[64, 48] - DEPTH_COLORS[0].astype(int)).max() <= 1
    assert np.abs(tile[64, 80] - DEPTH_COLORS[255].astype(int)).max() <= 1
    assert (tile[64, 10] == 30).all()
    assert DEPTH_COLORS[0].sum() > DEPTH_COLORS[255].sum()


def test_the_edge_of_the_surface_is_not_pulled_towards_the_camera() -> None:
    depth = np.zeros((512, 512))
    depth[:, 130:] = 0.6
    tile = depth_tile(np.zeros_like(GREY), depth, near_m=0.5, far_m=0.7, side=128).astype(float)
    middle = tile[64, 100]
    edge = tile[64, 32]  # half covered
    assert np.corrcoef(middle, edge)[0, 1] > 0.999


def test_a_contour_line_crosses_a_slope_every_ten_millimetres() -> None:
    depth = np.tile(np.linspace(0.5, 0.5595, 512), (512, 1))
    tile = depth_tile(np.zeros_like(GREY), depth, near_m=0.5, far_m=0.56, side=256).astype(int).sum(axis=-1)
    row = tile[128]
    dips = [x for x in range(1, 255) if row[x] < row[x - 1] * 0.9 and row[x] < row[x + 1] * 0.9]
    assert len(dips) == 5


def test_outside_the_mask_the_crop_is_grey_and_dark() -> None:
    crop = np.zeros((512, 512, 3), np.uint8)
    crop[..., 0] = 200
    mask = np.zeros((512, 512), np.uint8)
    mask[128:384, 128:384] = 255
    tile = mask_tile(crop, mask, side=128)
    assert tuple(tile[64, 64]) == (200, 0, 0)
    assert len(set(tile[10, 10].tolist())) == 1
    assert tile[10, 10, 0] < 40


def test_tiles_come_back_from_their_uri_and_keep_their_size_limit() -> None:
    smooth = np.tile(np.linspace(0, 255, TILE_PX, dtype=np.uint8)[:, None], (TILE_PX, 1, 3))
    noisy = np.random.default_rng(0).integers(0, 255, (TILE_PX, TILE_PX, 3)).astype(np.uint8)
    head = "data:image/webp;base64,"
    for tile, limit, error in ((smooth, TILE_BYTES, 6), (noisy, 4 * TILE_BYTES, 90)):
        uri = data_uri(tile)
        assert uri.startswith(head)
        encoded = base64.b64decode(uri.removeprefix(head))
        assert len(encoded) <= limit
        back = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        assert np.abs(back.astype(int) - tile).mean() < error
        assert data_uri(tile) == uri
