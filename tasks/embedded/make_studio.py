"""Make the embedded studio set: synthetic people in front of three calibrated cameras.

The set is in the format of docs/formats/generic_rig.md. Half of the subjects come as .npz meshes in world
coordinates, half as .obj with a head pose, so that both ways are read. The folder truth/ holds depth maps of
the first subject, rendered without going through the files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from rendering.arrays import Float64
from rendering.builtin.appearance import random_appearance
from rendering.camera import Camera
from rendering.face_model import FaceModel
from rendering.relighting.shading import ambient_light, directional_light, to_srgb8
from rendering.synthetic.acting import expression_coefficients
from rendering.synthetic.backdrop import blurred_room
from rendering.synthetic.portrait import Person, random_person, skin_depth, take_picture
from rendering.synthetic.rig_camera import SyntheticCamera

WIDTH, HEIGHT = 512, 640
FROM_MODEL = np.diag([1.0, -1.0, -1.0])
"""Model axes (y down, looking along -z) to the world axes of this studio (y up, looking along +z)."""
LAMP_FROM = np.array([0.45, 0.6, 0.66])
"""Direction to the lamp, world axes."""
JPEG_QUALITY = 95
MM_PER_M = 1000
TAKES: Mapping[str, Mapping[str, float]] = {
    "neutral": {},
    "smile": {"smile_left": 0.9, "smile_right": 0.8, "cheek_raise_left": 0.6, "cheek_raise_right": 0.6},
    "open": {"jaw_open": 0.8, "brow_up_left": 0.7, "brow_up_right": 0.7},
    "wink": {"blink_left": 0.95, "lips_pucker": 0.6, "brow_down_left": 0.5},
}
"""Take -> weights of named expressions, 0..1."""
FRAME = "000000"
"""Name of the only frame of each take."""


def _pinhole(focal_px: float, center_x_px: float, center_y_px: float) -> Camera:
    return Camera(
        focal_x_px=focal_px,
        focal_y_px=focal_px * 1.002,  # pixels that are not quite square, so that fx and fy are told apart
        center_x_px=center_x_px,
        center_y_px=center_y_px,
        width=WIDTH,
        height=HEIGHT,
    )


CAMERAS = (
    SyntheticCamera(
        name="cam_a",
        azimuth_deg=-28.0,
        height_m=0.05,
        distance_m=0.95,
        pinhole=_pinhole(1380.0, 250.4, 322.9),
        distortion=(-0.11, 0.06, 0.0008, -0.0006, 0.0),
    ),
    SyntheticCamera(
        name="cam_b",
        azimuth_deg=2.0,
        height_m=0.0,
        distance_m=1.0,
        pinhole=_pinhole(1450.0, 259.1, 316.2),
        distortion=(-0.07, 0.02, -0.0005, 0.0004),
    ),
    SyntheticCamera(
        name="cam_c",
        azimuth_deg=31.0,
        height_m=0.12,
        distance_m=0.92,
        pinhole=_pinhole(1340.0, 255.0, 325.5),
        distortion=(0.05, -0.02, 0.0004, 0.0009, 0.0, 0.01, 0.0, 0.0),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One camera of the studio: lens, backdrop and light."""

    camera: SyntheticCamera
    lens_map: NDArray[np.float32]
    background: NDArray[np.float32]
    lighting: NDArray[np.float32]


def make_embedded_studio(out: Path, *, subjects: int = 8) -> Path:
    """Write a studio set with the given number of subjects below `out`; returns `out`."""
    out.mkdir(parents=True, exist_ok=True)
    people = [random_person(number, random_appearance(number)) for number in range(subjects)]
    _write_rig(out, people[0].face_model)
    views = [_view(camera, seed) for seed, camera in enumerate(CAMERAS)]
    for number, person in enumerate(people):
        for take in TAKES:
            _write_capture(out, number, take, person=person, views=views)
    return out


def _view(camera: SyntheticCamera, seed: int) -> View:
    towards = camera.world_to_camera[:3, :3] @ (LAMP_FROM / np.linalg.norm(LAMP_FROM))
    wide = camera.wide_pinhole
    return View(
        camera=camera,
        lens_map=camera.lens_map(),
        background=blurred_room(seed, width=wide.width, height=wide.height, color=(0.22, 0.23, 0.25)),
        lighting=ambient_light(np.full(3, 0.4)) + directional_light(towards, np.full(3, 0.65)),
    )


def _write_rig(out: Path, face_model: FaceModel) -> None:
    rig = {
        "format": "generic-rig",
        "version": 1,
        "units": "mm",
        "convention": "opencv",
        "pixel_origin": "center",
        "cameras": [
            {
                "id": camera.name,
                "size": [WIDTH, HEIGHT],
                "K": camera.opencv_matrix.tolist(),
                "dist": list(camera.distortion),
                "w2c": _in_millimetres(camera.world_to_camera).tolist(),
            }
            for camera in CAMERAS
        ],
        "template": "template.npz",
        "face_vertex_ids": "face_vertex_ids.npy",
        "licence": "CC0-1.0",
        "provenance": "synthetic, made by this project",
    }
    (out / "rig.json").write_text(json.dumps(rig, indent=1) + "\n", encoding="utf-8")
    np.savez_compressed(out / "template.npz", triangles=face_model.triangles)
    np.save(out / "face_vertex_ids.npy", np.unique(face_model.triangles[face_model.skin_triangles]))


def _write_capture(out: Path, number: int, take: str, *, person: Person, views: list[View]) -> None:
    """Write the mesh, the pose and the pictures of one subject in one take."""
    expression = expression_coefficients(TAKES[take], frames=1)
    head = person.face_model.vertices(person.identity, expression)[0] @ FROM_MODEL.T
    pose = _head_pose(number, take)
    subject = f"subject_{number:02d}"
    _write_mesh(
        out,
        f"{subject}/{take}/{FRAME}",
        head_mm=head * MM_PER_M,
        pose=pose,
        triangles=person.face_model.triangles,
        in_world=number % 2 == 0,
    )
    in_world = head @ pose[:3, :3].T + pose[:3, 3]
    for view in views:
        camera = view.camera
        path = out / "images" / subject / take / camera.name / f"{FRAME}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        in_camera = _moved(in_world, camera.world_to_camera)
        picture = _photograph(person, in_camera, view)
        cv2.imwrite(str(path), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        if number == 0:
            truth = out / "truth" / f"{subject}_{take}_{camera.name}.npz"
            truth.parent.mkdir(exist_ok=True)
            depth_m = skin_depth(person.face_model, in_camera[None], camera.pinhole)[0]
            np.savez_compressed(truth, depth_m=depth_m)


def _photograph(person: Person, vertices: NDArray[np.float32], view: View) -> NDArray[np.uint8]:
    """The picture of the camera with its lens distortion: (H, W, 3) RGB."""
    straight = take_picture(
        person,
        vertices,
        camera=view.camera.wide_pinhole,
        lighting=view.lighting,
        background=view.background,
    )
    # rendered without distortion and a little wider, then resampled through the lens
    picture = cv2.remap(straight, view.lens_map[..., 0], view.lens_map[..., 1], cv2.INTER_CUBIC)
    return to_srgb8(np.asarray(picture, np.float32))


def _write_mesh(
    out: Path, name: str, *, head_mm: Float64, pose: Float64, triangles: NDArray[np.int32], in_world: bool
) -> None:
    """Write a mesh in world coordinates as .npz, or in head coordinates as .obj with its pose."""
    path = out / "meshes" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    millimetres = _in_millimetres(pose)
    if in_world:
        # x_world = R x_head + t
        world = head_mm @ pose[:3, :3].T + millimetres[:3, 3]
        np.savez_compressed(path.with_suffix(".npz"), vertices=world.astype(np.float32))
        return
    lines = [f"v {x:.4f} {y:.4f} {z:.4f}\n" for x, y, z in head_mm]
    lines += [f"f {a} {b} {c}\n" for a, b, c in triangles + 1]
    path.with_suffix(".obj").write_text("".join(lines), encoding="ascii")
    pose_path = (out / "poses" / name).with_suffix(".txt")
    pose_path.parent.mkdir(parents=True, exist_ok=True)
    np.savetxt(pose_path, millimetres, fmt="%.9g")


def _head_pose(number: int, take: str) -> Float64:
    """Head to world, (4, 4) in metres: a small random movement, since people do not hold quite still."""
    random = np.random.default_rng([number, list(TAKES).index(take)])
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("yxz", random.uniform(-8, 8, 3), degrees=True).as_matrix()
    pose[:3, 3] = random.uniform(-0.012, 0.012, 3)
    return pose


def _moved(points: Float64, matrix: Float64) -> NDArray[np.float32]:
    """Points (V, 3) under a rigid motion (4, 4)."""
    return np.asarray(points @ matrix[:3, :3].T + matrix[:3, 3], dtype=np.float32)


def _in_millimetres(matrix: Float64) -> Float64:
    scaled = matrix.copy()
    scaled[:3, 3] *= MM_PER_M
    return scaled
