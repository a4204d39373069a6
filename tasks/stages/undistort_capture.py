"""Stage undistort: a capture's pictures as a pinhole camera saw them, cropped around its registered mesh."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat, PositiveInt

from model.settings import Settings
from rendering.camera import Camera
from rendering.crop_square import Square, square_around, square_within, union_box
from rendering.undistort import cut_undistorted, mesh_in_camera
from tasks.media.capture_inputs import CaptureTemplate, read_image, read_pose, read_template, read_vertices
from tasks.media.video_files import write_video
from tasks.reasons import Reason, Rejected
from tasks.stage import Json, Stage, StageInput, StageOutput


class UndistortSettings(Settings):
    """How the square around the face of the mesh is chosen; the margins are those for clips."""

    side_px: PositiveInt = 512
    """Side of the crop pictures, px."""
    scale: float = Field(default=2.2, ge=1)
    """Side of the square divided by the longer side of the projected face box over the frames."""
    shift_up: float = Field(default=0.1, ge=0, le=0.5)
    """How far the centre of the square lies above that of the face box, as a share of the side."""
    least_scale: float = Field(default=1.2, ge=1)
    """The square is moved inside the picture if it then still contains the face box grown by this share;
    else it is padded."""
    smallest_face_px: PositiveInt = 96
    """Smallest face box in the source picture that is accepted, px."""
    nearest_m: PositiveFloat = 0.1
    """Nearest face vertex that is accepted, m; a nearer one means a wrong unit or transform."""
    farthest_m: PositiveFloat = 20.0
    """Farthest face vertex that is accepted, m."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Geometry:
    """The meshes of a capture in the space of its camera."""

    vertices_m: NDArray[np.float32]
    """Vertices in camera space, (N, V, 3) m."""
    template: CaptureTemplate


def run(stage_input: StageInput, settings: UndistortSettings) -> StageOutput:
    """Write the crop pictures of a capture as one video, and its meshes in the space of the crop camera."""
    given = stage_input.values["camera"]
    geometry = _read_geometry(stage_input, settings)
    images = [path for role, path in sorted(stage_input.blobs.items()) if role.startswith("image/")]
    opening = read_image(images[0], size=given["size"])
    height, width = opening.shape[:2]
    camera = Camera.from_matrix(given["matrix"], width=width, height=height)
    square, padded = _choose_square(geometry, camera, settings)
    transform = square.transform(settings.side_px)
    crop_camera = camera.cropped(transform, settings.side_px, settings.side_px)

    video = stage_input.scratch / "crop.mp4"
    arrays = stage_input.scratch / "capture.npz"
    pictures = _pictures(images, opening, camera, given["distortion"], square, settings.side_px)
    write_video(video, pictures, profile="crop")
    np.savez(
        arrays,
        vertices=geometry.vertices_m,
        triangles=geometry.template.triangles,
        skin_triangles=geometry.template.skin_triangles,
        camera_matrix=crop_camera.matrix,
    )
    values: dict[str, Json] = {
        "first_frame": 0,
        "frames": len(images),
        "source_frames": len(images),
        "source_width": width,
        "source_height": height,
        "has_audio": False,
        "crop_size_px": float(square.side),
        "crop_side_px": settings.side_px,
        "crop_transform": [float(entry) for entry in transform.ravel()],
        "crop_padded": padded,
        "crop_source": "mesh",
        "camera_matrix": [float(entry) for entry in crop_camera.matrix.ravel()],
        "focal_px": camera.focal_x_px,
        "focal_observable": True,
    }
    return StageOutput(files={"crop": video, "capture": arrays}, values=values)


def _read_geometry(stage_input: StageInput, settings: UndistortSettings) -> _Geometry:
    values, blobs = stage_input.values, stage_input.blobs
    roles = sorted(role for role in blobs if role.startswith("mesh/"))
    template = read_template(
        blobs.get("template") or blobs[roles[0]],
        mesh_format=values["template_format"] if "template" in blobs else values["mesh_formats"][0],
        face_vertices=blobs.get("face_vertices"),
    )
    meshes: list[NDArray[np.float32]] = []
    for role, mesh_format in zip(roles, values["mesh_formats"], strict=True):
        vertices = read_vertices(
            blobs[role], mesh_format=mesh_format, count=len(meshes[0]) if meshes else None
        )
        pose = read_pose(blobs.get(role.replace("mesh/", "pose/")), unit_m=values["length_unit_m"])
        w2c = np.array(values["camera"]["world_to_camera"]).reshape(4, 4)
        meshes.append(mesh_in_camera(vertices, w2c @ pose, unit_m=values["length_unit_m"]))
    geometry = _Geometry(vertices_m=np.stack(meshes), template=template)
    _check_geometry(geometry, settings)
    return geometry


def _check_geometry(geometry: _Geometry, settings: UndistortSettings) -> None:
    vertices = geometry.vertices_m.shape[1]
    largest = int(geometry.template.triangles.max())
    if largest >= vertices:
        raise Rejected(
            Reason.CORRUPT, f"triangles name vertex {largest}, the meshes have {vertices} vertices"
        )
    depth = geometry.vertices_m[:, geometry.template.skin_vertices, 2]
    near, far = float(depth.min()), float(depth.max())
    if near < settings.nearest_m or far > settings.farthest_m:
        raise Rejected(
            Reason.CORRUPT,
            f"the face lies {near:.4g} to {far:.4g} m before the camera, need {settings.nearest_m} to "
            f"{settings.farthest_m}; check the set's unit and camera convention",
        )


def _choose_square(geometry: _Geometry, camera: Camera, settings: UndistortSettings) -> tuple[Square, bool]:
    """Choose one square for all frames; also whether it leaves the picture."""
    points = camera.project(geometry.vertices_m[:, geometry.template.skin_vertices].astype(np.float64))
    boxes = np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1)
    # nothing is left out as in clips: meshes have no detection errors
    box = union_box(boxes, percentile=0)
    side = float((box[2:] - box[:2]).max())
    if side < settings.smallest_face_px:
        raise Rejected(Reason.SMALL_FACE, f"the face is {side:.0f} px wide, need {settings.smallest_face_px}")
    inside = np.minimum(box[2:], [camera.width, camera.height]) - np.maximum(box[:2], 0)
    if inside.min() < 0.5 * (box[2:] - box[:2]).min():
        raise Rejected(
            Reason.NO_FACE,
            f"the mesh lies at {np.round(box).tolist()} px, mostly outside the picture of "
            f"{camera.width}x{camera.height} px",
        )
    wish = square_around(box, scale=settings.scale, shift_up=settings.shift_up)
    within = square_within(
        wish, box, width=camera.width, height=camera.height, least_scale=settings.least_scale
    )
    return (wish, wish.leaves(camera.width, camera.height)) if within is None else (within, False)


def _pictures(
    images: list[Path],
    opening: NDArray[np.uint8],
    camera: Camera,
    distortion: list[float],
    square: Square,
    side_px: int,
) -> Iterator[NDArray[np.uint8]]:
    yield cut_undistorted(opening, camera, distortion, square, crop_px=side_px)
    for path in images[1:]:
        image = read_image(path, size=[camera.width, camera.height])
        yield cut_undistorted(image, camera, distortion, square, crop_px=side_px)


STAGE = Stage(
    name="undistort",
    version=1,
    run=run,
    settings_type=UndistortSettings,
    tools=("ffmpeg", "opencv-contrib-python", "pillow", "numpy"),
)
