"""The reference rasterizer: the rules of the numba one in plain torch, without its loops.

Tests compare the numba backend with it; it is ten times slower. Every triangle's bounding box is expanded
into (triangle, pixel) candidates; those that are covered are scattered into the picture, first by depth,
then by triangle id.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from rendering.arrays import Float32, Int32
from rendering.camera import Camera
from rendering.rasterizers.raster import GRID_STEPS_PER_PX, NEAR_M, Raster

CANDIDATES = 1 << 20
"""Candidates at a time, which bounds the memory; one triangle alone may have as many as there are pixels."""


def rasterize_into(out: Raster, vertices_m: Float32, triangles: Int32, camera: Camera) -> None:
    """Fill the raster; see rendering.rasterizers.rasterize.rasterize."""
    for frame in range(len(vertices_m)):
        corners, ids = _corners(torch.from_numpy(vertices_m[frame]).double(), triangles, camera)
        picture = _draw(corners, ids, camera)
        out.triangle_id[frame] = picture[0].numpy()
        out.barycentrics[frame] = picture[1].numpy()
        out.depth_m[frame] = picture[2].numpy()


def _corners(vertices: Tensor, triangles: Int32, camera: Camera) -> tuple[Tensor, Tensor]:
    """Corners (x px, y px, 1/z) of the triangles that can be drawn, (T, 3, 3), and their ids, (T,)."""
    z = vertices[:, 2]
    focal = torch.tensor([camera.focal_x_px, camera.focal_y_px], dtype=torch.float64)
    center = torch.tensor([camera.center_x_px, camera.center_y_px], dtype=torch.float64)
    pixels = focal * vertices[:, :2] / z[:, None] + center
    pixels = torch.floor(pixels * GRID_STEPS_PER_PX + 0.5) / GRID_STEPS_PER_PX
    projected = torch.cat([pixels, 1 / z[:, None]], dim=1)[torch.from_numpy(triangles).long()]
    in_front = (z >= NEAR_M)[torch.from_numpy(triangles).long()].all(dim=1)
    a, b, c = projected[..., :2].unbind(1)
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    drawn = in_front & torch.isfinite(projected).all(dim=(1, 2)) & (area != 0)
    ids = torch.nonzero(drawn)[:, 0]
    return projected[ids], ids


def _draw(corners: Tensor, ids: Tensor, camera: Camera) -> tuple[Tensor, Tensor, Tensor]:
    """Draw one frame: triangle id (H, W), barycentrics (H, W, 3) and depth (H, W) m."""
    size = camera.height * camera.width
    nearest = torch.full((size,), torch.inf)
    winner = torch.full((size,), -1, dtype=torch.int64)
    weights = torch.zeros(size, 3)
    for which, pixel in _candidates(corners, camera):
        inside, barycentrics, depth = _evaluate(corners[which], pixel, camera.width)
        which, pixel, barycentrics, depth = which[inside], pixel[inside], barycentrics[inside], depth[inside]
        best = nearest.scatter_reduce(0, pixel, depth, "amin")
        # Earlier candidates have lower ids and keep a tie; among equals here the lowest id wins.
        leads = (depth == best[pixel]) & (depth < nearest[pixel])
        first = torch.full((size,), len(corners)).scatter_reduce(0, pixel[leads], which[leads], "amin")
        wins = leads & (which == first[pixel])
        winner[pixel[wins]] = ids[which[wins]]
        weights[pixel[wins]] = barycentrics[wins]
        nearest = best
    shape = (camera.height, camera.width)
    depth_m = torch.where(winner >= 0, nearest, 0.0)
    return winner.view(shape).int(), weights.view(*shape, 3), depth_m.view(shape)


def _candidates(corners: Tensor, camera: Camera) -> Iterator[tuple[Tensor, Tensor]]:
    """All (triangle, pixel) pairs of the bounding boxes, in pieces, by ascending triangle."""
    limit = torch.tensor([camera.width - 1.0, camera.height - 1.0], dtype=torch.float64)
    first = torch.ceil(corners[..., :2].amin(dim=1) - 0.5).clamp(min=0).minimum(limit + 1).long()
    last = torch.floor(corners[..., :2].amax(dim=1) - 0.5).clamp(min=-1).minimum(limit).long()
    columns, rows = (last - first + 1).clamp(min=0).unbind(1)
    counts = columns * rows
    piece = torch.div(counts.cumsum(0), CANDIDATES, rounding_mode="floor")
    for number in torch.unique(piece):
        members = torch.nonzero((piece == number) & (counts > 0))[:, 0]
        which = members.repeat_interleave(counts[members])
        starts = counts[members].cumsum(0) - counts[members]
        offset = torch.arange(len(which)) - starts.repeat_interleave(counts[members])
        row = first[which, 1] + torch.div(offset, columns[which], rounding_mode="floor")
        column = first[which, 0] + offset % columns[which]
        yield which, row * camera.width + column


def _evaluate(corners: Tensor, pixel: Tensor, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """Whether pixel centres lie inside their triangles (P,), barycentrics (P, 3) and depth (P,) there."""
    x = (pixel % width) + 0.5
    y = torch.div(pixel, width, rounding_mode="floor") + 0.5
    a, b, c = corners.unbind(1)
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    sign = torch.sign(area)
    inside = torch.ones(len(pixel), dtype=torch.bool)
    products = []
    for start, end, opposite in ((b, c, a), (c, a, b), (a, b, c)):
        step_x, step_y = sign * (start[:, 1] - end[:, 1]), sign * (end[:, 0] - start[:, 0])
        edge = step_x * (x - start[:, 0]) + step_y * (y - start[:, 1])
        left_or_top = (step_x > 0) | ((step_x == 0) & (step_y > 0))
        inside &= (edge > 0) | ((edge == 0) & left_or_top)
        products.append(edge * opposite[:, 2])
    scale = 1 / (products[0] + products[1] + products[2])
    barycentrics = torch.stack(products, dim=1) * scale[:, None]
    return inside, barycentrics.float(), (sign * area * scale).float()
