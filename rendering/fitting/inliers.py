"""The parts of the skin that the video shows, and those that hair, glasses or a hand hide."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from rendering.arrays import Float32, Float64
from rendering.face_model import FaceModel
from rendering.fitting.parameters import Parameters
from rendering.fitting.patches import Patches
from rendering.fitting.photometric_terms import placing, sample_frames
from rendering.fitting.rotations import rotation_matrices
from rendering.fitting.settings import InlierSettings
from rendering.fitting.visibility import view_directions, visible_samples
from rendering.landmarks.face_mesh_points import LEFT_BROW, LEFT_EYE, LIPS_OUTER, RIGHT_BROW, RIGHT_EYE
from rendering.normals import vertex_normals
from rendering.relighting.shading import sh_basis

DARK_BY_NATURE = LEFT_BROW + RIGHT_BROW + LEFT_EYE + RIGHT_EYE + LIPS_OUTER
"""Landmarks around which skin is darker than the mean without being hidden."""
LEAST_FACING = 0.35
"""Vertices seen at a smaller cosine between normal and view than this are left out."""
DARKEST = 1e-2
"""Brightness (0..1) is raised to this before logarithms are taken."""
LEAST_CHANGE = 0.01
"""Relative brightness changes below this are sensor noise."""
LEAST_SIGHTINGS = 3
"""Vertices seen in fewer frames count as skin."""


def vertex_inliers(
    face_model: FaceModel,
    patches: Patches,
    parameters: Parameters,
    *,
    center: tuple[float, float],
    lighting: Float32,
    settings: InlierSettings,
) -> Float32:
    """How far each vertex looks like skin over the clip, (V,) 0..1; 1 outside the skin.

    The mean skin in the clip's light gives the colour to expect at every vertex. Hair is darker or has
    another colour; a hand or a swinging strand of hair changes over the frames.
    """
    skin = np.unique(face_model.triangles[face_model.skin_triangles])
    ratio = _log_ratios(face_model, skin, patches, parameters, center=center, lighting=lighting)
    enough = np.isfinite(ratio[..., 0]).sum(axis=0) >= LEAST_SIGHTINGS
    inlier = np.ones(len(face_model.mean), np.float32)
    inlier[skin[enough]] = _inlier(ratio[:, enough], settings)
    inlier[_near_features(face_model, skin, settings.clearance_m)] = 1
    return _spread(inlier, face_model.triangles[face_model.skin_triangles], rounds=settings.spreading)


def _inlier(ratio: Float64, settings: InlierSettings) -> Float64:
    """Inlier weights (K,) from log(seen / expected), (C, K, 3), NaN where hidden.

    The worst of darkness, colour and unrest, each in units of its limit, goes through a logistic function.
    """
    # Log ratios turn a change of brightness into a shift of all channels and a change of tint into the rest.
    typical = np.nanmedian(ratio, axis=0)
    skin = np.median(typical, axis=0)
    darkness = -(typical - skin).mean(axis=1) / -np.log(settings.darkest)
    tint = (typical - skin) - (typical - skin).mean(axis=1, keepdims=True)
    color = np.linalg.norm(tint, axis=1) / settings.color_change
    change = np.nanmedian(np.abs(ratio - typical).mean(axis=2), axis=0)
    unrest = change / max(float(np.median(change)), LEAST_CHANGE) / settings.unrest
    worst = np.maximum(np.maximum(darkness, color), unrest)
    return np.asarray(1 / (1 + np.exp(np.clip((worst - 1) / settings.softness, -50, 50))))


def _log_ratios(
    face_model: FaceModel,
    skin: NDArray[np.int32],
    patches: Patches,
    parameters: Parameters,
    *,
    center: tuple[float, float],
    lighting: Float32,
) -> Float64:
    """log(seen / mean skin in this light) of each skin vertex and channel, NaN where hidden: (C, K, 3)."""
    some = parameters.frames(patches.color_frames)
    vertices = face_model.vertices(some.identity.astype(np.float32), some.expression.astype(np.float32))
    normals = vertex_normals(vertices, face_model.triangles)[:, skin]
    facing = np.einsum("nkc,nc->nk", normals, view_directions(some))
    seen = visible_samples(face_model, skin, some) & (facing > LEAST_FACING)
    turned = np.matmul(normals, rotation_matrices(some.rotation).transpose(0, 2, 1).astype(np.float32))
    expected = np.maximum(sh_basis(turned) @ lighting, DARKEST)
    points = np.ascontiguousarray(vertices[:, skin], dtype=np.float64)
    view = np.array([np.exp(some.log_focal), *center])
    ratios = np.empty(expected.shape)
    for channel in range(3):
        images = np.ascontiguousarray(patches.colors[:, channel])
        value, _ = sample_frames(images, points, some.rotation, some.position, view, placing(patches))
        ratios[..., channel] = np.log(np.maximum(value, DARKEST) / expected[..., channel])
    # NaN instead of a weight: the medians above skip it.
    ratios[~seen] = np.nan
    return ratios


def _near_features(face_model: FaceModel, skin: NDArray[np.int32], clearance_m: float) -> NDArray[np.int32]:
    points = face_model.landmark_points(face_model.mean[None])[0][list(DARK_BY_NATURE)]
    points = points[np.isfinite(points[:, 0])]
    gaps = np.linalg.norm(face_model.mean[skin][:, None] - points[None], axis=-1).min(axis=1)
    return np.asarray(skin[gaps < clearance_m], np.int32)


def _spread(values: Float32, triangles: NDArray[np.int32], *, rounds: int) -> Float32:
    """Average values over a mesh's edges: errors strike single vertices, hair covers many."""
    rows, columns = triangles.ravel(), np.roll(triangles, -1, axis=1).ravel()
    size = len(values)
    edges = csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=(size, size))
    neighbours = edges + edges.T
    count = np.asarray(neighbours.sum(axis=1)).ravel()
    for _ in range(rounds):
        values = np.where(count > 0, (values + neighbours @ values) / (1 + count), values)
    return np.asarray(values, dtype=np.float32)
