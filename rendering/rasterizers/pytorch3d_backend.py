"""The rasterizer of the optional package pytorch3d; on a CPU it takes seconds a frame."""

from __future__ import annotations

import torch
from pytorch3d.renderer.mesh.rasterize_meshes import rasterize_meshes
from pytorch3d.structures import Meshes
from torch import Tensor

from rendering.arrays import Float32, Int32
from rendering.camera import Camera
from rendering.rasterizers.raster import NEAR_M, Raster

FRAMES_AT_ONCE = 16


def rasterize_into(out: Raster, vertices_m: Float32, triangles: Int32, camera: Camera) -> None:
    """Fill the raster; see rendering.rasterizers.rasterize.rasterize."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    faces = torch.from_numpy(triangles).long().to(device)
    for start in range(0, len(vertices_m), FRAMES_AT_ONCE):
        frames = slice(start, start + FRAMES_AT_ONCE)
        vertices = torch.from_numpy(vertices_m[frames]).to(device)
        meshes = Meshes(verts=screen_space(vertices, camera), faces=faces.expand(len(vertices), -1, -1))
        packed_id, depth, weights, _ = rasterize_meshes(
            meshes,
            image_size=(camera.height, camera.width),
            blur_radius=0.0,
            faces_per_pixel=1,
            perspective_correct=True,
            z_clip_value=NEAR_M,
        )
        hit = packed_id[..., 0] >= 0
        # pytorch3d numbers faces through the whole batch.
        triangle_id = torch.where(hit, packed_id[..., 0] % max(len(faces), 1), -1)
        out.triangle_id[frames] = triangle_id.int().cpu().numpy()
        out.barycentrics[frames] = (weights[..., 0, :] * hit[..., None]).cpu().numpy()
        out.depth_m[frames] = (depth[..., 0] * hit).cpu().numpy()


def screen_space(vertices: Tensor, camera: Camera) -> Tensor:
    """Vertices on pytorch3d's screen: (N, V, 3) m -> (N, V, 3), z in metres.

    The screen has +x left and +y up; the picture's shorter side reaches from -1 to 1.
    """
    x, y, z = vertices.unbind(-1)
    half = min(camera.width, camera.height) / 2
    column = camera.focal_x_px * x / z + camera.center_x_px
    row = camera.focal_y_px * y / z + camera.center_y_px
    return torch.stack([(camera.width / 2 - column) / half, (camera.height / 2 - row) / half, z], dim=-1)
