"""Stage depth: camera-space z of the visible facial skin as 16-bit video, and the skin mask.

Wild clips render the fitted face model, studio captures their registered mesh. The whole mesh hides,
only skin is published: eyes, the open mouth and the throat have no depth. docs/stages.md has the rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from rendering.arrays import Float32
from rendering.camera import Camera
from rendering.face_model import FaceModel
from rendering.rasterizers.raster import empty_raster
from rendering.skin.depth_map import DepthScale, surface_range
from rendering.skin.settings import SkinSettings
from rendering.skin.surface import SkinMesh, SkinPicture, skin_mesh, skin_picture
from tasks.face_models.files import load_face_model
from tasks.media.video_files import write_video
from tasks.reasons import Reason, Rejected
from tasks.stage import Stage, StageInput, StageOutput
from tasks.stages.depth_settings import DepthSettings


class MeshMotion(Protocol):
    """A mesh over the frames of a clip."""

    def __len__(self) -> int:
        """Number of frames."""
        ...

    def vertices(self, frame: int) -> Float32:
        """Return the camera-space vertices of a frame, (V, 3) m."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedMotion:
    """The face model as the fit placed it."""

    face_model: FaceModel
    neutral_m: Float32
    """Vertices of the identity without expression, (V, 3) m."""
    expression: Float32
    """Expression coefficients, (N, 25)."""
    rotation: NDArray[np.floating[Any]]
    """Rotation vectors, (N, 3) radians."""
    translation_m: NDArray[np.floating[Any]]
    """Translation, (N, 3) m."""

    def __len__(self) -> int:
        return len(self.expression)

    def vertices(self, frame: int) -> Float32:
        """Return the camera-space vertices of a frame, (V, 3) m."""
        moved = np.tensordot(self.expression[frame], self.face_model.expression_basis, axes=1)
        turn, _ = cv2.Rodrigues(np.asarray(self.rotation[frame], np.float64))
        placed = (self.neutral_m + moved) @ turn.T.astype(np.float32)
        return np.asarray(placed + self.translation_m[frame], np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturedMotion:
    """Registered meshes, one for each frame."""

    vertices_m: Float32
    """Vertices in camera space, (N, V, 3) m."""

    def __len__(self) -> int:
        return len(self.vertices_m)

    def vertices(self, frame: int) -> Float32:
        """Return the camera-space vertices of a frame, (V, 3) m."""
        return np.asarray(self.vertices_m[frame], np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is rendered: a skin mesh, how it moves, and the camera that sees it."""

    mesh: SkinMesh
    motion: MeshMotion
    camera: Camera
    mask_source: str
    """"mesh", or "mesh+residual" where the fit's photometric residual takes hidden skin out."""


def run(stage_input: StageInput, settings: DepthSettings) -> StageOutput:
    """Render depth and mask videos of a fitted clip or a studio capture."""
    subject = _load_subject(stage_input, settings)
    scale = depth_scale(subject)
    depth, mask = stage_input.scratch / "depth.mkv", stage_input.scratch / "mask.mkv"
    packed = stage_input.scratch / "mask.bits"
    nearest, farthest = np.inf, 0.0

    def pictures() -> Iterator[NDArray[np.uint16]]:
        nonlocal nearest, farthest
        with packed.open("wb") as bits:
            for picture in skin_pictures(subject, settings.skin):
                depth_m = picture.depth_m[picture.view]
                near, far = surface_range(depth_m)
                nearest, farthest = min(nearest, near), max(farthest, far)
                bits.write(np.packbits(picture.mask).tobytes())
                codes = np.zeros(picture.depth_m.shape, np.uint16)
                codes[picture.view] = scale.encode(depth_m)
                yield codes

    write_video(depth, pictures(), profile="depth")
    if not farthest:
        raise Rejected(
            Reason.LOST_TRACK, f"no skin of the mesh is in sight in any of {len(subject.motion)} frames"
        )
    write_video(mask, _unpacked(packed, subject.camera), profile="mask")
    packed.unlink()
    return StageOutput(
        files={"depth": depth, "mask": mask},
        values={
            "depth_near_m": nearest,
            "depth_far_m": farthest,
            "depth_scale_m": scale.scale_m,
            "depth_offset_m": scale.offset_m,
            "mask_source": subject.mask_source,
            "rasterizer": settings.skin.backend,
        },
    )


def depth_scale(subject: Subject) -> DepthScale:
    """Return the depth scale that holds the skin of all frames: triangles end at their corners."""
    near_m, far_m = np.inf, -np.inf
    for frame in range(len(subject.motion)):
        z = subject.motion.vertices(frame)[subject.mesh.skin_vertices, 2]
        near_m, far_m = min(near_m, float(z.min())), max(far_m, float(z.max()))
    margin_m = 1e-5 * far_m  # the rasterizer's float32 rounding
    return DepthScale.of_range(near_m - margin_m, far_m + margin_m)


def skin_pictures(subject: Subject, settings: SkinSettings) -> Iterator[SkinPicture]:
    """Render depth and mask of each frame, one at a time."""
    buffers = empty_raster(1, subject.camera)
    if settings.backend == "numba":  # nobody reads the weights here: no room, no work
        buffers = replace(buffers, barycentrics=np.empty((1, 0, 0, 3), np.float32))
    for frame in range(len(subject.motion)):
        yield skin_picture(
            subject.motion.vertices(frame), subject.mesh, subject.camera, settings=settings, out=buffers
        )


def _load_subject(stage_input: StageInput, settings: DepthSettings) -> Subject:
    if "capture" in stage_input.blobs:
        return _captured(stage_input)
    return _fitted(stage_input, settings)


def _captured(stage_input: StageInput) -> Subject:
    with np.load(stage_input.blobs["capture"], allow_pickle=False) as file:
        capture = dict(file)
    side_px = stage_input.values["crop_side_px"]
    return Subject(
        mesh=skin_mesh(capture["triangles"], capture["skin_triangles"]),
        motion=CapturedMotion(vertices_m=capture["vertices"]),
        camera=Camera.from_matrix(capture["camera_matrix"], width=side_px, height=side_px),
        mask_source="mesh",
    )


def _fitted(stage_input: StageInput, settings: DepthSettings) -> Subject:
    face_model = load_face_model(stage_input.blobs["face_model"])
    with np.load(stage_input.blobs["fit"], allow_pickle=False) as file:
        fit = dict(file)
    mesh = skin_mesh(face_model.triangles, face_model.skin_triangles)
    side_px = stage_input.values["crop_side_px"]
    neutral_m = face_model.mean + np.tensordot(fit["identity"], face_model.identity_basis, axes=1)
    return Subject(
        mesh=replace(mesh, is_clear=_clear(mesh, fit, settings)),
        motion=FittedMotion(
            face_model=face_model,
            neutral_m=np.asarray(neutral_m, np.float32),
            expression=np.asarray(fit["expression"], np.float32),
            rotation=fit["rotation"],
            translation_m=fit["translation"],
        ),
        camera=Camera.from_matrix(stage_input.values["camera_matrix"], width=side_px, height=side_px),
        mask_source="mesh+residual" if "vertex_inlier" in fit else "mesh",
    )


def _clear(mesh: SkinMesh, fit: Mapping[str, NDArray[Any]], settings: DepthSettings) -> NDArray[np.bool_]:
    """Return which triangles the picture shows, (F,), according to the fit."""
    if "vertex_inlier" not in fit:
        return mesh.is_clear
    return np.asarray(fit["vertex_inlier"][mesh.triangles].mean(axis=1) >= settings.least_inlier)


def _unpacked(path: Path, camera: Camera) -> Iterator[NDArray[np.uint8]]:
    """Read the masks that the depth pass left on disk, (H, W) with 0 or 255."""
    pixels = camera.width * camera.height
    with path.open("rb") as bits:
        while row := bits.read((pixels + 7) // 8):
            mask = np.unpackbits(np.frombuffer(row, np.uint8), count=pixels)
            yield mask.reshape(camera.height, camera.width) * np.uint8(255)


STAGE = Stage(
    name="depth",
    version=3,
    run=run,
    settings_type=DepthSettings,
    tools=("ffmpeg", "numba", "opencv-contrib-python", "numpy"),
)
