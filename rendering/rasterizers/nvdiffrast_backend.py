"""The CUDA rasterizer of the optional package nvdiffrast (Laine et al. 2020), non-commercial licence."""

from __future__ import annotations

import nvdiffrast.torch as nvdiffrast
import torch
from torch import Tensor

from rendering.arrays import Float32, Int32
from rendering.camera import Camera
from rendering.rasterizers.raster import NEAR_M, Raster

FRAMES_AT_ONCE = 16


def rasterize_into(out: Raster, vertices_m: Float32, triangles: Int32, camera: Camera) -> None:
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
    """Homogeneous clip coordinates of camera-space vertices: (N, V, 3) m -> (N, V, 4).

    nvdiffrast puts y = -1 into its first row. With y down that is the top row: no flip is needed.
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
