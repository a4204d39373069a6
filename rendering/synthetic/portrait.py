"""A synthetic person in front of a camera: pose of the head, its picture and its true depth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rendering.arrays import Float32, Float64, Int32
from rendering.builtin.appearance import HeadAppearance
from rendering.builtin.head import builtin_head
from rendering.camera import Camera
from rendering.face_model import FaceModel
from rendering.rasterizers.rasterize import rasterize
from rendering.relighting.shading import render_image, shade_vertices

NECK_M = np.array([0.0, 0.12, 0.02])
"""Point that the head turns about, model axes."""
NECK_TOP_M, NECK_BASE_M = 0.128, 0.185
"""Heights below the chin (model y) between which the neck blends from the head's pose to the shoulders'."""
SHOULDERS_FOLLOW = 0.35
"""Part of the head's shift and turn that the shoulders follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """The shape and colours of a person."""

    face_model: FaceModel
    identity: Float32
    """(50,)."""
    albedo: Float32
    """Linear colour of each vertex, (V, 3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadPose:
    """Poses of head and shoulders in N frames: x_camera = rotation x_model + translation."""

    rotation: Float64
    """(N, 3, 3)."""
    translation: Float64
    """(N, 3) m."""
    shoulder_rotation: Float64
    shoulder_translation: Float64

    def __getitem__(self, frames: Int32 | slice) -> HeadPose:
        """The poses of some of the frames."""
        return HeadPose(
            rotation=self.rotation[frames],
            translation=self.translation[frames],
            shoulder_rotation=self.shoulder_rotation[frames],
            shoulder_translation=self.shoulder_translation[frames],
        )


def random_person(seed: int, appearance: HeadAppearance, *, spread: float = 0.8) -> Person:
    """A person with the builtin head: identity coefficients ~ N(0, spread^2) by seed, and given colours."""
    head = builtin_head()
    identity = np.random.default_rng([seed, 6]).normal(scale=spread, size=50)
    return Person(
        face_model=head.face_model, identity=identity.astype(np.float32), albedo=head.colors(appearance)
    )


def pose_about_neck(
    rotation: Float64, shoulder_rotation: Float64, shift_m: Float64, *, stands_m: Float64
) -> HeadPose:
    """Poses of a head and shoulders that turn about the neck.

    Args:
        rotation: rotation of the head, (N, 3, 3).
        shoulder_rotation: rotation of the shoulders, (N, 3, 3).
        shift_m: shift of the neck from its place at rest, (N, 3).
        stands_m: camera-space place of the model's origin at rest, (3,).
    """
    at_rest = stands_m + NECK_M
    return HeadPose(
        rotation=rotation,
        translation=at_rest + shift_m - rotation @ NECK_M,
        shoulder_rotation=shoulder_rotation,
        shoulder_translation=at_rest + SHOULDERS_FOLLOW * shift_m - shoulder_rotation @ NECK_M,
    )


def person_in_camera(person: Person, expression: Float32, pose: HeadPose) -> Float32:
    """Camera-space vertices of expressions (N, 25) and N poses: (N, V, 3) m."""
    model = person.face_model
    vertices = model.vertices(person.identity, expression)
    head = np.einsum("nij,nvj->nvi", pose.rotation, vertices) + pose.translation[:, None]
    below = np.einsum("nij,nvj->nvi", pose.shoulder_rotation, vertices) + pose.shoulder_translation[:, None]
    down = np.clip((model.mean[:, 1:2] - NECK_TOP_M) / (NECK_BASE_M - NECK_TOP_M), 0, 1)
    down = down * down * (3 - 2 * down)  # smoothstep: no crease where the blend begins or ends
    return np.asarray(head + down * (below - head), dtype=np.float32)


def take_picture(
    person: Person, vertices: Float32, *, camera: Camera, lighting: Float32, background: Float32
) -> Float32:
    """The picture of a person, linear light (H, W, 3).

    Args:
        person: the person; its shape has gone into the vertices.
        vertices: camera space, (V, 3) m.
        camera: intrinsics, and the size of the picture.
        lighting: spherical harmonics of each channel, (9, 3).
        background: linear light, (H, W, 3).
    """
    triangles = person.face_model.triangles
    colors = shade_vertices(vertices[None], triangles, person.albedo, lighting)[0]
    return render_image(vertices, triangles, camera, colors=colors, background=background)


def skin_depth(face_model: FaceModel, vertices: Float32, camera: Camera) -> Float32:
    """True depth of the visible facial skin, (N, V, 3) m -> (N, H, W) m; 0 = none."""
    raster = rasterize(vertices, face_model.triangles, camera)
    is_skin = np.zeros(len(face_model.triangles) + 1, bool)
    is_skin[face_model.skin_triangles] = True  # the extra last entry is what id -1 finds
    return np.where(is_skin[raster.triangle_id], raster.depth_m, np.float32(0))
