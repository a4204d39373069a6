"""The CUDA rasterizer (optional package nvdiffrast, non-commercial licence)."""

from __future__ import annotations

import numpy as np
import nvdiffrast.torch as nvdiffrast
import torch
from numpy.typing import NDArray
from torch import Tensor

from rendering.camera import Camera
from rendering.rasterizers.rasterize import NEAR_M, Raster

FRAMES_AT_ONCE = 16


def rasterize_into(
    out: Raster, vertices_m: NDArray[np.float32], triangles: NDArray[np.int32], camera: Camera
) -> None:
    """Fill the raster; see rendering.rasterizers.rasterize.rasterize."""
    context = nvdiffrast.RasterizeCudaContext()
    faces = torch.from_numpy(triangles).cuda()
    for start in range(0, len(vertices_m), FRAMES_AT_ONCE):
        frames = slice(start, start + FRAMES_AT_ONCE)
        vertices = torch.from_numpy(vertices_m[frames]).cuda()
        size = (camera.height, camera.width)
        drawn, _ = nvdiffrast.rasterize(context, clip_space(vertices, camera), faces, size, grad_db=False)
        triangle_id = drawn[..., 3].int() - 1
        hit = triangle_id >= 0
        weights = torch.stack([drawn[..., 0], drawn[..., 1], 1 - drawn[..., 0] - drawn[..., 1]], dim=-1)
        weights = weights * hit[..., None]
        corners = faces[triangle_id.clamp(min=0).long()].long()
        frame = torch.arange(len(vertices), device=vertices.device)[:, None, None, None]
        depth = (weights * vertices[frame, corners, 2]).sum(dim=-1)
        out.triangle_id[frames] = triangle_id.cpu().numpy()
        out.barycentrics[frames] = weights.cpu().numpy()
        out.depth_m[frames] = depth.cpu().numpy()


def clip_space(vertices: Tensor, camera: Camera) -> Tensor:
    """Homogeneous clip coordinates, (N, V, 3) m -> (N, V, 4).

    nvdiffrast's first row is y = -1, so that y down needs no flip: row 0 of its result is the top row.
    """
    x, y, z = vertices.unbind(-1)
    near, far = max(NEAR_M, float(z.min()) / 2), 2 * float(z.max()) + NEAR_M
    return torch.stack(
        [
            (2 * camera.center_x_px / camera.width - 1) * z + 2 * camera.focal_x_px / camera.width * x,
            (2 * camera.center_y_px / camera.height - 1) * z + 2 * camera.focal_y_px / camera.height * y,
            ((far + near) * z - 2 * far * near) / (far - near),
            z,
        ],
        dim=-1,
    ).contiguous()
