"""A synthetic person in front of a camera: where the head is, its picture and its true depth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rendering.builtin.appearance import HeadAppearance
from rendering.builtin.head import builtin_head
from rendering.camera import Camera
from rendering.face_model import FaceModel
from rendering.rasterizers.rasterize import rasterize
from rendering.relighting.shading import render_image, shade_vertices

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

NECK_M = np.array([0.0, 0.12, 0.02])
"""The head turns about this point, model axes."""
NECK_TOP_M, NECK_BASE_M = 0.128, 0.185
"""Heights (model y, below the chin) between which the neck takes over from the head to the shoulders."""
SHOULDERS_FOLLOW = 0.35
"""Share of the head's shift and turn that the shoulders take part in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """How somebody looks."""

    face_model: FaceModel
    identity: Float32
    """(50,)."""
    albedo: Float32
    """Linear colour of each vertex, (V, 3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadPose:
    """Where heads are: x_camera = rotation x_model + translation; shoulders have a pose of their own."""

    rotation: Float64
    """(N, 3, 3)."""
    translation: Float64
    """(N, 3) m."""
    shoulder_rotation: Float64
    shoulder_translation: Float64

    def __getitem__(self, frames: NDArray[np.int32] | slice) -> HeadPose:
        """Some of the frames."""
        return HeadPose(
            rotation=self.rotation[frames],
            translation=self.translation[frames],
            shoulder_rotation=self.shoulder_rotation[frames],
            shoulder_translation=self.shoulder_translation[frames],
        )


def random_person(seed: int, appearance: HeadAppearance, *, spread: float = 0.8) -> Person:
    """A person of the builtin head: identity N(0, spread^2) by seed, colours as said."""
    head = builtin_head()
    identity = np.random.default_rng([seed, 6]).normal(scale=spread, size=50)
    return Person(
        face_model=head.face_model, identity=identity.astype(np.float32), albedo=head.colors(appearance)
    )


def pose_about_neck(
    rotation: Float64, shoulder_rotation: Float64, shift_m: Float64, *, stands_m: Float64
) -> HeadPose:
    """Turn heads and shoulders about the neck.

    Args:
        rotation: of the head, (N, 3, 3).
        shoulder_rotation: (N, 3, 3).
        shift_m: of the neck from its place, (N, 3).
        stands_m: camera-space place of the model's origin when nothing turns or shifts, (3,).
    """
    at_rest = stands_m + NECK_M
    return HeadPose(
        rotation=rotation,
        translation=at_rest + shift_m - rotation @ NECK_M,
        shoulder_rotation=shoulder_rotation,
        shoulder_translation=at_rest + SHOULDERS_FOLLOW * shift_m - shoulder_rotation @ NECK_M,
    )


def person_in_camera(person: Person, expression: Float32, pose: HeadPose) -> Float32:
    """Camera-space vertices, (N, V, 3) m, for expression (N, 25)."""
    model = person.face_model
    vertices = model.vertices(person.identity, expression)
    head = np.einsum("nij,nvj->nvi", pose.rotation, vertices) + pose.translation[:, None]
    below = np.einsum("nij,nvj->nvi", pose.shoulder_rotation, vertices) + pose.shoulder_translation[:, None]
    down = np.clip((model.mean[:, 1:2] - NECK_TOP_M) / (NECK_BASE_M - NECK_TOP_M), 0, 1)
    down = down * down * (3 - 2 * down)
    return np.asarray(head + down * (below - head), dtype=np.float32)


def take_picture(
    person: Person, vertices: Float32, *, camera: Camera, lighting: Float32, background: Float32
) -> Float32:
    """Linear light (H, W, 3).

    Args:
        person: who.
        vertices: camera space, (V, 3) m.
        camera: the camera.
        lighting: spherical harmonics, (9, 3).
        background: linear light, (H, W, 3).
    """
    triangles = person.face_model.triangles
    colors = shade_vertices(vertices[None], triangles, person.albedo, lighting)[0]
    return render_image(vertices, triangles, camera, colors=colors, background=background)


def skin_depth(face_model: FaceModel, vertices: Float32, camera: Camera) -> Float32:
    """True depth of the visible facial skin, (N, V, 3) m -> (N, H, W) m; 0 = none."""
    raster = rasterize(vertices, face_model.triangles, camera)
    is_skin = np.zeros(len(face_model.triangles) + 1, bool)
    is_skin[face_model.skin_triangles] = True  # the last entry answers for id -1
    return np.where(is_skin[raster.triangle_id], raster.depth_m, np.float32(0))
