"""The generic rig: rig.json, images, registered meshes and poses (docs/formats/generic_rig.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import ValidationError

from model.settings import Record
from rendering.mesh_files import MESH_FORMATS
from tasks.reasons import Reason
from tasks.sources.capture_files import convert_camera, left_out_note, refuse_capture
from tasks.sources.source import (
    CaptureCamera,
    CaptureFrame,
    CaptureSource,
    Catalogue,
    RejectedSource,
    make_clip_id,
)
from tasks.sources.walk_files import Listing, Refusal, list_files

SUBSET = "generic"
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")
UNITS_M = {"m": 1.0, "cm": 0.01, "mm": 0.001}


class RigCameraEntry(Record):
    """One camera of rig.json."""

    id: str
    """Its name, the name of its image folder."""
    size: tuple[int, int]
    """(width, height) of its images, px."""
    K: tuple[tuple[float, ...], ...]
    """3x3 rows, px."""
    dist: tuple[float, ...]
    """0, 4, 5 or 8 coefficients."""
    w2c: tuple[tuple[float, ...], ...]
    """4x4 rows, world to camera."""


class Rig(Record):
    """rig.json."""

    format: Literal["generic-rig"]
    version: Literal[1]
    units: Literal["m", "cm", "mm"]
    convention: Literal["opencv", "opengl"]
    pixel_origin: Literal["center", "corner"]
    cameras: tuple[RigCameraEntry, ...]
    template: str | None = None
    face_vertex_ids: str | None = None
    licence: str | None = None
    provenance: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """The files of a set by what they are: (subject, take, camera) -> frame -> file and so on."""

    images: dict[tuple[str, str, str], dict[str, Path | Refusal]]
    meshes: dict[tuple[str, str], dict[str, Path | Refusal]]
    poses: dict[tuple[str, str], dict[str, Path | Refusal]]
    stray: dict[str, Refusal]
    """What is refused and stands where no file belongs, such as a link in place of a folder."""
    skipped: Mapping[str, int]


def scan_generic_rig(root: Path) -> Catalogue:
    """Every capture of a set: a subject's take as one camera saw it.

    Raises:
        ValueError: rig.json is wrong, or an image folder's camera is not in it.
    """
    rig = read_rig(root)
    cameras = _cameras(rig, root)
    template = _below(root, rig.template, suffixes=MESH_FORMATS)
    face_vertices = _below(root, rig.face_vertex_ids, suffixes=(".npy",))
    found = _find(root)
    entries: list[CaptureSource | RejectedSource] = [
        refuse_capture(SUBSET, name, name.split("/")[1], refusal.reason, refusal.detail)
        for name, refusal in found.stray.items()
    ]
    for (subject, take, camera), images in sorted(found.images.items()):
        if camera not in cameras:
            raise ValueError(
                f"{root}: images of a camera {camera!r}, which rig.json lacks: {sorted(cameras)}"
            )
        meshes, poses = (table.get((subject, take), {}) for table in (found.meshes, found.poses))
        name = f"{subject}/{take}/{camera}"
        frames, note, refusal = _frames(images, meshes, poses)
        if refusal is not None:
            entries.append(refuse_capture(SUBSET, name, subject, refusal.reason, refusal.detail))
            continue
        entries.append(
            CaptureSource(
                clip_id=make_clip_id(SUBSET, name),
                source_name=name,
                subject_id=subject,
                subset=SUBSET,
                camera=cameras[camera],
                length_unit_m=UNITS_M[rig.units],
                frames=frames,
                template=template,
                face_vertices=face_vertices,
                note=note,
            )
        )
    return Catalogue(
        sources=tuple(entry for entry in entries if isinstance(entry, CaptureSource)),
        rejected=tuple(entry for entry in entries if isinstance(entry, RejectedSource)),
        skipped=found.skipped,
    )


def read_rig(root: Path) -> Rig:
    """rig.json of a set.

    Raises:
        ValueError: it is missing or wrong; names the field.
    """
    path = root / "rig.json"
    try:
        rig = Rig.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}; a generic rig needs it") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{path}: {where}: {first['msg']} ({error.error_count()} errors)") from error
    ids = [camera.id for camera in rig.cameras]
    if not ids or len(set(ids)) < len(ids):
        raise ValueError(f"{path}: cameras {ids}: need at least one, and each id once")
    return rig


def _cameras(rig: Rig, root: Path) -> dict[str, CaptureCamera]:
    cameras = {}
    for camera in rig.cameras:
        try:
            cameras[camera.id] = convert_camera(
                camera.K,
                distortion=camera.dist,
                world_to_camera=camera.w2c,
                size=camera.size,
                unit_m=UNITS_M[rig.units],
                convention=rig.convention,
                pixel_origin=rig.pixel_origin,
            )
        except ValueError as error:
            raise ValueError(f"{root / 'rig.json'}: camera {camera.id!r}: {error}") from error
    return cameras


def _below(root: Path, name: str | None, *, suffixes: tuple[str, ...]) -> Path | None:
    """A file that rig.json names, which must lie in the set."""
    if name is None:
        return None
    path = (root / name).resolve()
    if not path.is_relative_to(root.resolve()) or not path.is_file():
        raise ValueError(f"{root / 'rig.json'}: {name!r} is no file below {root}")
    if path.suffix.lower() not in suffixes:
        raise ValueError(f"{root / 'rig.json'}: {name!r} must end in {' '.join(suffixes)}")
    return path


def _find(root: Path) -> _Found:
    skipped: dict[str, int] = {}
    stray: dict[str, Refusal] = {}
    images = _by_place(root / "images", 3, IMAGE_SUFFIXES, skipped, stray)
    meshes = _by_place(root / "meshes", 2, tuple(reversed(MESH_FORMATS)), skipped, stray)
    poses = _by_place(root / "poses", 2, (".txt",), skipped, stray) if (root / "poses").is_dir() else {}
    return _Found(
        images={(place[0], place[1], place[2]): frames for place, frames in images.items()},
        meshes={(place[0], place[1]): frames for place, frames in meshes.items()},
        poses={(place[0], place[1]): frames for place, frames in poses.items()},
        stray=stray,
        skipped=skipped,
    )


def _by_place(
    folder: Path,
    depth: int,
    suffixes: tuple[str, ...],
    skipped: dict[str, int],
    stray: dict[str, Refusal],
) -> dict[tuple[str, ...], dict[str, Path | Refusal]]:
    """Folders of a file -> its stem -> the file; of several suffixes the last of `suffixes` wins."""
    listing: Listing = list_files(folder)
    placed: dict[tuple[str, ...], dict[str, Path | Refusal]] = {}
    found: dict[str, Path | Refusal] = {**listing.files, **listing.refused}
    for name in sorted(found, key=lambda name: (_rank(name, suffixes), name)):
        path = PurePosixPath(name)
        if len(path.parts) == depth + 1 and path.suffix.lower() in suffixes:
            placed.setdefault(path.parts[:-1], {})[path.stem] = found[name]
        elif name in listing.refused:
            stray[f"{folder.name}/{name}"] = listing.refused[name]
        else:
            skipped["unlisted"] = skipped.get("unlisted", 0) + 1
    for kind, count in listing.skipped.items():
        skipped[kind] = skipped.get(kind, 0) + count
    return placed


def _rank(name: str, suffixes: tuple[str, ...]) -> int:
    suffix = PurePosixPath(name).suffix.lower()
    return suffixes.index(suffix) if suffix in suffixes else -1


def _frames(
    images: Mapping[str, Path | Refusal],
    meshes: Mapping[str, Path | Refusal],
    poses: Mapping[str, Path | Refusal],
) -> tuple[tuple[CaptureFrame, ...], str, Refusal | None]:
    """(frames, what was left out, why the capture is refused)."""
    frames: list[CaptureFrame] = []
    for name in sorted(set(images) & set(meshes)):
        image, mesh, pose = images[name], meshes[name], poses.get(name)
        for file in (image, mesh, pose):
            if isinstance(file, Refusal):
                return (), "", Refusal(file.reason, f"frame {name!r}: {file.detail}")
        assert isinstance(image, Path)
        assert isinstance(mesh, Path)
        assert not isinstance(pose, Refusal)
        frames.append(CaptureFrame(name=name, image=image, mesh=mesh, pose=pose))
    if not frames:
        detail = f"none of its {len(images)} images has a mesh: missing"
        return (), "", Refusal(Reason.UNREADABLE, detail)
    return tuple(frames), left_out_note(sorted(set(images) - set(meshes))), None
