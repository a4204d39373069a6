"""FaceScape multi-view: params.json a take, one mesh a take, a scale a take (docs/formats/facescape.md)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    RejectedSource,
    make_clip_id,
)
from tasks.sources.walk_files import Listing, Refusal, list_files

SUBSET = "facescape"
MM = 0.001


class FacescapeSettings(Settings):
    """Where FaceScape's multi-view captures are."""

    images: Path
    """Folder of <id>/<k>_<expression>/<view>.jpg and params.json."""
    meshes: Path
    """Folder of the scans, <id>/<k>_<expression>.ply, or of the registered models,
    <id>/models_reg/<k>_<expression>.obj; the registered one is taken where both are there."""
    scales: Path
    """Rt_scale_dict.json of the toolkit: scale and pose of each take's coordinates."""
    face_vertex_ids: Path | None = None
    """.npy of the vertex ids of facial skin on the registered models; None = every triangle counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _FaceScapeTake:
    """A take's files and its similarity: x_model [mm] = R (scale x_take) + t."""

    name: str
    """<id>/<k>_<expression>."""
    params_path: Path
    params: dict[str, Any]
    images: Listing
    mesh: Path
    registered: bool
    """The mesh is a registered model, in model coordinates and mm, not a scan in the take's own."""
    scale: float
    to_model: NDArray[np.float64]
    face_vertices: Path | None


def scan_facescape(settings: FacescapeSettings) -> Catalogue:
    """Every view of every take.

    Raises:
        ValueError: a folder or a json file is missing or wrong.
    """
    scales = _read_json(settings.scales)
    images, meshes = list_files(settings.images), list_files(settings.meshes)
    takes = [
        name.split("/") for name in images.files if name.endswith("/params.json") and name.count("/") == 2
    ]
    if not takes:
        raise ValueError(f"{str(settings.images)!r} holds no <id>/<expression>/params.json")
    if settings.face_vertex_ids is not None and not settings.face_vertex_ids.is_file():
        raise ValueError(f"{str(settings.face_vertex_ids)!r} is no file; see face_vertex_ids")
    entries: list[CaptureSource | RejectedSource] = []
    for person, expression, _ in takes:
        entries += _scan_take(f"{person}/{expression}", images, meshes, scales, settings)
    return Catalogue(
        sources=tuple(entry for entry in entries if isinstance(entry, CaptureSource)),
        rejected=tuple(entry for entry in entries if isinstance(entry, RejectedSource)),
        skipped=images.skipped + meshes.skipped,
    )


def _scan_take(
    name: str, images: Listing, meshes: Listing, scales: dict[str, Any], settings: FacescapeSettings
) -> list[CaptureSource | RejectedSource]:
    params_path = images.files[f"{name}/params.json"]
    params = _read_json(params_path)
    views = [key.removesuffix("_K") for key in params if key.endswith("_K")]
    mesh, registered = _find_mesh(meshes, name)
    similarity = _find_similarity(scales, name, settings.scales)
    if isinstance(mesh, Refusal) or isinstance(similarity, Refusal):
        why = mesh if isinstance(mesh, Refusal) else similarity
        assert isinstance(why, Refusal)
        return [_refuse(f"{name}/{view}", why) for view in views]
    take = _FaceScapeTake(
        name=name,
        params_path=params_path,
        params=params,
        images=images,
        mesh=mesh,
        registered=registered,
        scale=similarity[0],
        to_model=similarity[1],
        face_vertices=settings.face_vertex_ids.resolve() if registered and settings.face_vertex_ids else None,
    )
    return [_scan_view(take, view) for view in views]


def _scan_view(take: _FaceScapeTake, view: str) -> CaptureSource | RejectedSource:
    name = f"{take.name}/{view}"
    if not _field(take, view, "valid"):
        return _refuse(name, Refusal(Reason.CORRUPT, "FaceScape marks the view's camera as not valid"))
    image_name = f"{name}.jpg"
    if image_name not in take.images.files:
        return _refuse(name, take.images.refused.get(image_name, MISSING))
    unit_m = MM if take.registered else take.scale * MM
    return CaptureSource(
        clip_id=make_clip_id(SUBSET, name),
        source_name=name,
        subject_id=_subject(name),
        subset=SUBSET,
        camera=_camera(take, view, unit_m),
        length_unit_m=unit_m,
        frames=(CaptureFrame(name=view, image=take.images.files[image_name], mesh=take.mesh),),
        face_vertices=take.face_vertices,
    )


def _camera(take: _FaceScapeTake, view: str, unit_m: float) -> CaptureCamera:
    try:
        world_to_camera = np.array(_field(take, view, "Rt"), float)
        return convert_camera(
            np.array(_field(take, view, "K"), float)[:3, :3],
            distortion=_field(take, view, "distortion"),
            world_to_camera=_from_model(world_to_camera, take) if take.registered else world_to_camera,
            size=(int(_field(take, view, "width")), int(_field(take, view, "height"))),
            unit_m=unit_m,
        )
    except (ValueError, TypeError, IndexError) as error:
        raise ValueError(f"{take.params_path}: view {view}: {error}") from error


def _from_model(world_to_camera: NDArray[np.float64], take: _FaceScapeTake) -> NDArray[np.float64]:
    """Model coordinates (mm) to the camera: x_cam = s (R x_take + t), x_take = R_m^T (x_model - t_m) / s."""
    rotation = world_to_camera[:3, :3] @ take.to_model[:3, :3].T
    translation = take.scale * world_to_camera[:3, 3] - rotation @ take.to_model[:3, 3]
    return np.hstack([rotation, translation[:, None]])


def _find_mesh(meshes: Listing, name: str) -> tuple[Path | Refusal, bool]:
    """(mesh or why there is none, whether it is a registered model)."""
    person, expression = name.split("/")
    for candidate in (f"{person}/models_reg/{expression}.obj", f"{name}.ply"):
        found = meshes.files.get(candidate) or meshes.refused.get(candidate)
        if found is not None:
            return found, candidate.endswith(".obj")
    return Refusal(Reason.UNREADABLE, "the take's mesh is missing"), False


def _find_similarity(
    scales: dict[str, Any], name: str, path: Path
) -> tuple[float, NDArray[np.float64]] | Refusal:
    """Scale and pose (3, 4) of a take, by the numbers of its person and expression."""
    person, expression = name.split("/")
    entry = scales.get(person, {}).get(expression.split("_")[0])
    if entry is None:
        return Refusal(Reason.UNREADABLE, f"{path.name} lacks the take's scale")
    try:
        scale, pose = float(entry[0]), np.array(entry[1], float)
    except (TypeError, ValueError, IndexError, KeyError) as error:
        raise ValueError(f"{path}: {name}: {str(entry)[:80]} is no [scale, Rt]") from error
    if not (np.isfinite(scale) and scale > 0) or pose.shape not in ((3, 4), (4, 4)):
        raise ValueError(f"{path}: {name}: scale {scale}, Rt of {pose.shape}; need above 0 and (3, 4)")
    return scale, pose[:3]


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
    return refuse_capture(SUBSET, name, _subject(name), refusal.reason, refusal.detail)


def _subject(name: str) -> str:
    return f"facescape/{name.split('/')[0]}"
