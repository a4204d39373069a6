"""FaceScape, multi-view: each take has a params.json, one mesh and a scale (docs/formats/facescape.md)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.settings import Settings
from tasks.reasons import Reason
from tasks.sources.capture_files import convert_camera, refuse_capture
from tasks.sources.listed_files import MISSING
from tasks.sources.source import (
    CaptureCamera,
    CaptureFrame,
    CaptureSource,
    Catalogue,
    ClipKind,
    RejectedSource,
    make_clip_id,
)
from tasks.sources.walk_files import Listing, Refusal, list_files

SUBSET = "facescape"
MM = 0.001
"""Metres per millimetre."""


class FacescapeSettings(Settings):
    """Folders and files of the FaceScape multi-view captures."""

    label: ClassVar[str] = "FaceScape"
    kind: ClassVar[ClipKind] = "studio"

    images: Path
    """Folder of the FaceScape images, <id>/<k>_<expression>/<view>.jpg, with a params.json for each take."""
    meshes: Path
    """Folder of the FaceScape scans, <id>/<k>_<expression>.ply, or of the registered models,
    <id>/models_reg/<k>_<expression>.obj; a registered model is preferred."""
    scales: Path
    """File Rt_scale_dict.json of the FaceScape toolkit: scale and pose of the coordinates of each take."""
    face_vertex_ids: Path | None = None
    """.npy file with the vertex ids of facial skin on the registered FaceScape models; default: every
    triangle counts as skin."""

    @property
    def folder(self) -> Path:
        """Folder of the images."""
        return self.images

    def scan(self) -> Catalogue:
        """Every view of every take.

        Raises:
            ValueError: a folder or a json file is missing or wrong.
        """
        scales = _read_json(self.scales)
        images, meshes = list_files(self.images), list_files(self.meshes)
        takes = [
            name.removesuffix("/params.json")
            for name in images.files
            if name.endswith("/params.json") and name.count("/") == 2
        ]
        if not takes:
            raise ValueError(f"{str(self.images)!r} holds no <id>/<expression>/params.json")
        if self.face_vertex_ids is not None and not self.face_vertex_ids.is_file():
            raise ValueError(f"{str(self.face_vertex_ids)!r} is not a file; see face_vertex_ids")
        entries: list[CaptureSource | RejectedSource] = []
        for take in takes:
            entries += _scan_take(take, images, meshes, scales, self)
        return Catalogue.of(entries, skipped=images.skipped + meshes.skipped)


class _Similarity(NamedTuple):
    """Take to model coordinates: x_model [mm] = R (scale x_take) + t."""

    scale: float
    pose: NDArray[np.float64]
    """(3, 4), [R | t]."""


class _Mesh(NamedTuple):
    """The mesh of a take."""

    path: Path
    registered: bool
    """True for a registered model, in model coordinates and mm; False for a scan, in those of the take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _FaceScapeTake:
    """The files of a take and its place in model coordinates."""

    name: str
    """<id>/<k>_<expression>."""
    params_path: Path
    params: dict[str, Any]
    images: Listing
    mesh: _Mesh
    to_model: _Similarity
    face_vertices: Path | None


def _scan_take(
    name: str, images: Listing, meshes: Listing, scales: dict[str, Any], settings: FacescapeSettings
) -> list[CaptureSource | RejectedSource]:
    params_path = images.files[f"{name}/params.json"]
    params = _read_json(params_path)
    views = [key.removesuffix("_K") for key in params if key.endswith("_K")]
    mesh = _find_mesh(meshes, name)
    similarity = _find_similarity(scales, name, settings.scales)
    if isinstance(mesh, Refusal):
        return [_refuse(f"{name}/{view}", mesh) for view in views]
    if isinstance(similarity, Refusal):
        return [_refuse(f"{name}/{view}", similarity) for view in views]
    take = _FaceScapeTake(
        name=name,
        params_path=params_path,
        params=params,
        images=images,
        mesh=mesh,
        to_model=similarity,
        # only the registered models share a topology, so that vertex ids mean something
        face_vertices=(
            settings.face_vertex_ids.resolve() if mesh.registered and settings.face_vertex_ids else None
        ),
    )
    return [_scan_view(take, view) for view in views]


def _scan_view(take: _FaceScapeTake, view: str) -> CaptureSource | RejectedSource:
    name = f"{take.name}/{view}"
    if not _field(take, view, "valid"):
        return _refuse(name, Refusal(Reason.CORRUPT, "FaceScape marks the view's camera as not valid"))
    image_name = f"{name}.jpg"
    if image_name not in take.images.files:
        return _refuse(name, take.images.refused.get(image_name, MISSING))
    # a registered model is in mm; a scan is in units of its own reconstruction, `scale` mm each
    unit_m = MM if take.mesh.registered else take.to_model.scale * MM
    return CaptureSource(
        clip_id=make_clip_id(SUBSET, name),
        source_name=name,
        subject_id=_subject(name),
        subset=SUBSET,
        camera=_camera(take, view, unit_m),
        length_unit_m=unit_m,
        frames=(CaptureFrame(name=view, image=take.images.files[image_name], mesh=take.mesh.path),),
        face_vertices=take.face_vertices,
    )


def _camera(take: _FaceScapeTake, view: str, unit_m: float) -> CaptureCamera:
    try:
        world_to_camera = np.array(_field(take, view, "Rt"), float)
        return convert_camera(
            np.array(_field(take, view, "K"), float)[:3, :3],
            distortion=_field(take, view, "distortion"),
            world_to_camera=(
                _model_to_camera(world_to_camera, take.to_model) if take.mesh.registered else world_to_camera
            ),
            size=(int(_field(take, view, "width")), int(_field(take, view, "height"))),
            unit_m=unit_m,
        )
    except (ValueError, TypeError, IndexError) as error:
        raise ValueError(f"{take.params_path}: view {view}: {error}") from error


def _model_to_camera(world_to_camera: NDArray[np.float64], to_model: _Similarity) -> NDArray[np.float64]:
    """[R | t] (3, 4) from model coordinates, mm, to the camera.

    x_cam [mm] = s (R x_take + t) with x_take = R_m^T (x_model - t_m) / s, so that
    x_cam = R R_m^T x_model + s t - R R_m^T t_m.
    """
    rotation = world_to_camera[:3, :3] @ to_model.pose[:3, :3].T
    translation = to_model.scale * world_to_camera[:3, 3] - rotation @ to_model.pose[:3, 3]
    return np.hstack([rotation, translation[:, None]])


def _find_mesh(meshes: Listing, name: str) -> _Mesh | Refusal:
    """The registered model of a take, else its scan, else why there is none."""
    person, expression = name.split("/")
    for candidate in (f"{person}/models_reg/{expression}.obj", f"{name}.ply"):
        if candidate in meshes.files:
            return _Mesh(meshes.files[candidate], registered=candidate.endswith(".obj"))
        if candidate in meshes.refused:
            return meshes.refused[candidate]
    return Refusal(Reason.UNREADABLE, "the take's mesh is missing")


def _find_similarity(scales: dict[str, Any], name: str, path: Path) -> _Similarity | Refusal:
    """Scale and pose of a take, found by the numbers of its person and expression."""
    person, expression = name.split("/")
    entry = scales.get(person, {}).get(expression.split("_")[0])
    if entry is None:
        return Refusal(Reason.UNREADABLE, f"{path.name} lacks the take's scale")
    try:
        scale, pose = float(entry[0]), np.array(entry[1], float)
    except (TypeError, ValueError, IndexError, KeyError) as error:
        raise ValueError(f"{path}: {name}: {str(entry)[:80]} is not [scale, Rt]") from error
    if not (np.isfinite(scale) and scale > 0) or pose.shape not in ((3, 4), (4, 4)):
        raise ValueError(f"{path}: {name}: scale {scale}, Rt of {pose.shape}; need above 0 and (3, 4)")
    return _Similarity(scale, pose[:3])


def _field(take: _FaceScapeTake, view: str, name: str) -> Any:
    key = f"{view}_{name}"
    if key not in take.params:
        raise ValueError(f"{take.params_path}: lacks {key!r}")
    return take.params[key]


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: holds a {type(content).__name__}, need an object")
    return content


def _refuse(name: str, refusal: Refusal) -> RejectedSource:
    return refuse_capture(name, refusal, subset=SUBSET, subject_id=_subject(name))


def _subject(name: str) -> str:
    return f"facescape/{name.split('/')[0]}"
