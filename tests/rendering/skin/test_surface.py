"""Visible skin of known meshes: planes and a box whose lid hides them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rendering.camera import Camera
from rendering.rasterizers.raster import empty_raster
from rendering.rasterizers.rasterize import rasterize
from rendering.skin.settings import SkinSettings
from rendering.skin.surface import SkinMesh, SkinPicture, skin_mesh, skin_picture

CAMERA = Camera.centered(100.0, 64, 64)


def sheet(z_m: float, half_m: float, *, center_x_m: float = 0.0) -> np.ndarray:
    """A square facing the camera, (4, 3): counter-clockwise seen from the camera."""
    corners = np.array([[-1, -1, 0], [-1, 1, 0], [1, 1, 0], [1, -1, 0]], float) * half_m
    return np.add(corners, [center_x_m, 0, z_m]).astype(np.float32)


def quads(count: int) -> np.ndarray:
    two = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    return np.concatenate([two + 4 * index for index in range(count)])


def picture(vertices: np.ndarray, mesh: SkinMesh, settings: SkinSettings | None = None) -> SkinPicture:
    return skin_picture(
        vertices, mesh, CAMERA, settings=settings or SkinSettings(), out=empty_raster(1, CAMERA)
    )


def test_depth_of_a_sheet_is_its_distance_where_it_is_seen() -> None:
    shown = picture(sheet(0.5, 0.1), skin_mesh(quads(1), np.array([0, 1])))
    np.testing.assert_array_equal(np.argwhere(shown.depth_m > 0).min(axis=0), [12, 12])
    np.testing.assert_array_equal(np.argwhere(shown.depth_m > 0).max(axis=0), [51, 51])
    np.testing.assert_allclose(shown.depth_m[shown.depth_m > 0], 0.5, rtol=1e-6)
    assert not (shown.mask & (shown.depth_m == 0)).any()
    assert shown.mask.sum() >= 0.99 * (shown.depth_m > 0).sum()


def test_what_is_not_skin_hides_but_is_not_shown() -> None:
    vertices = np.concatenate([sheet(0.5, 0.1), sheet(0.4, 0.03)])
    shown = picture(vertices, skin_mesh(quads(2), np.array([0, 1])))
    assert shown.depth_m[32, 32] == 0
    assert not shown.mask[32, 32]
    assert shown.depth_m[14, 14] == pytest.approx(0.5)


def test_the_inside_of_skin_is_not_shown() -> None:
    assert not picture(sheet(0.5, 0.1), skin_mesh(quads(1)[:, ::-1], np.array([0, 1]))).depth_m.any()


@pytest.mark.parametrize(("gap_px", "closed"), [(2, True), (10, False)])
def test_a_narrow_hole_is_closed_with_the_depth_around_it(gap_px: int, closed: bool) -> None:
    # four sheets around a hole of 20 x gap_px pixels
    height_m, width_m, outer_m = gap_px * 0.0025, 0.05, 0.12
    frame = [
        [-outer_m, -outer_m, outer_m, -height_m],
        [-outer_m, height_m, outer_m, outer_m],
        [-outer_m, -height_m, -width_m, height_m],
        [width_m, -height_m, outer_m, height_m],
    ]
    corners = [[[x0, y0, 0.5], [x0, y1, 0.5], [x1, y1, 0.5], [x1, y0, 0.5]] for x0, y0, x1, y1 in frame]
    vertices = np.array(corners, np.float32).reshape(-1, 3)
    shown = picture(vertices, skin_mesh(quads(4), np.arange(8)))
    assert (shown.depth_m[32, 32] > 0) == closed
    assert shown.mask[32, 32] == closed
    if closed:
        assert shown.depth_m[32, 32] == pytest.approx(0.5, rel=1e-6)


def test_hidden_triangles_leave_the_mask_and_keep_their_depth() -> None:
    vertices = np.concatenate([sheet(0.5, 0.05, center_x_m=-0.05), sheet(0.5, 0.05, center_x_m=0.05)])
    mesh = skin_mesh(quads(2), np.arange(4))
    hidden = SkinMesh(
        triangles=mesh.triangles,
        is_skin=mesh.is_skin,
        skin_vertices=mesh.skin_vertices,
        is_clear=np.array([True, True, False, False]),
    )
    shown = picture(vertices, hidden)
    assert shown.depth_m[32, 25] == pytest.approx(0.5)
    assert shown.depth_m[32, 40] == pytest.approx(0.5)
    assert shown.mask[32, 25]
    assert not shown.mask[32, 40]


def test_a_mesh_outside_the_picture_shows_nothing() -> None:
    shown = picture(sheet(0.5, 0.05, center_x_m=3.0), skin_mesh(quads(1), np.array([0, 1])))
    assert not shown.depth_m.any()
    assert not shown.mask.any()


def test_only_what_can_meet_the_skin_is_drawn_and_the_picture_is_that_of_all() -> None:
    # skin, a sheet that hides some of it, a wall behind, one beside, one out of sight, one through the camera
    sheets = [
        sheet(0.5, 0.1),
        sheet(0.4, 0.03, center_x_m=0.05),
        sheet(0.6, 0.5),
        sheet(0.45, 0.02, center_x_m=0.13),
        sheet(0.3, 0.05, center_x_m=-2.0),
        sheet(0.2, 0.1) - np.array([[0, 0, 0], [0, 0, 0.25], [0, 0, 0.25], [0, 0, 0]], np.float32),
    ]
    vertices = np.concatenate(sheets).astype(np.float32)
    out = empty_raster(1, CAMERA)
    mesh = skin_mesh(quads(6), np.array([0, 1]))
    shown = skin_picture(vertices, mesh, CAMERA, settings=SkinSettings(), out=out)
    drawn = np.unique(out.triangle_id[out.triangle_id >= 0])
    whole = rasterize(vertices[None], mesh.triangles, CAMERA)
    skin = np.isin(whole.triangle_id[0], [0, 1])
    np.testing.assert_array_equal(shown.depth_m, np.where(skin, whole.depth_m[0], 0))
    assert 0 < skin.sum() < (out.triangle_id >= 0).sum()
    assert len(drawn) == 4
    assert not (whole.depth_m[0] == out.depth_m[0]).all()
    rows, columns = shown.view
    assert (shown.depth_m[rows, columns] > 0).sum() == (shown.depth_m > 0).sum()


def test_a_raster_without_room_for_weights_gives_the_same_picture() -> None:
    vertices = np.concatenate([sheet(0.5, 0.1), sheet(0.4, 0.03)])
    mesh = skin_mesh(quads(2), np.array([0, 1]))
    lean = replace(empty_raster(1, CAMERA), barycentrics=np.empty((1, 0, 0, 3), np.float32))
    shown = skin_picture(vertices, mesh, CAMERA, settings=SkinSettings(), out=lean)
    np.testing.assert_array_equal(shown.depth_m, picture(vertices, mesh).depth_m)
