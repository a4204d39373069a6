"""Which skin samples the camera sees, by z-buffers over a grid of view directions.

On a face, self-occlusion (the nose in front of the cheek) depends on the view direction and hardly on the
expression. A z-buffer is therefore rendered once for each cell of view directions that occurs, instead of
once for each frame.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rendering.arrays import Float64
from rendering.camera import Camera
from rendering.face_model import FaceModel
from rendering.fitting.parameters import Parameters
from rendering.fitting.rotations import rotation_matrices
from rendering.rasterizers.rasterize import rasterize

CELL_DEG = 6.0
"""Size of a cell in yaw and pitch."""
BUFFER_PX = 128
BUFFER_FOCAL_PX = 340.0
DISTANCE_M = 0.7
"""Distance of the z-buffers' camera from the head's origin."""
TOLERANCE_M = 0.004
"""A sample further than this behind the z-buffer is hidden."""


def view_directions(parameters: Parameters) -> Float64:
    """Unit vectors from head origin to camera in head space, (N, 3)."""
    turned = np.einsum("nji,nj->ni", rotation_matrices(parameters.rotation), -parameters.translation_m)
    return np.asarray(turned / np.linalg.norm(turned, axis=1, keepdims=True))


def visible_samples(
    face_model: FaceModel, vertices: NDArray[np.int32], parameters: Parameters
) -> NDArray[np.bool_]:
    """Whether each vertex has no other part of the face in front of it: ids (K,) -> (N, K)."""
    directions = view_directions(parameters)
    yaw = np.degrees(np.arctan2(directions[:, 0], -directions[:, 2]))
    pitch = np.degrees(np.arcsin(directions[:, 1]))
    cells = np.round(np.stack([yaw, pitch], axis=1) / CELL_DEG).astype(np.int64)
    # Round view directions to cells, and render one z-buffer for each cell that occurs.
    occupied, of_frame = np.unique(cells, axis=0, return_inverse=True)
    neutral = face_model.mean + np.tensordot(parameters.identity, face_model.identity_basis, axes=1)
    seen = [_seen_from(neutral, face_model, vertices, cell * CELL_DEG) for cell in occupied]
    return np.stack(seen)[of_frame]


def _seen_from(
    neutral: Float64, face_model: FaceModel, vertices: NDArray[np.int32], yaw_pitch_deg: Float64
) -> NDArray[np.bool_]:
    yaw, pitch = np.radians(yaw_pitch_deg)
    towards = np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), -np.cos(yaw) * np.cos(pitch)])
    right = np.cross([0.0, 1.0, 0.0], -towards)
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(-towards, right), -towards])
    turned = neutral @ axes.T
    turned[:, 2] += DISTANCE_M
    camera = Camera.centered(BUFFER_FOCAL_PX, BUFFER_PX, BUFFER_PX)
    depth = rasterize(turned[None].astype(np.float32), face_model.triangles, camera).depth_m[0]
    points = turned[vertices]
    column, row = np.clip(camera.project(points).astype(int), 0, BUFFER_PX - 1).T
    front = depth[row, column]
    # Pixels without surface hide nothing: a sample at the silhouette may fall beside the mesh.
    return np.asarray((front == 0) | (points[:, 2] < front + TOLERANCE_M))
