"""Studio sets in the generic rig format: rig.json, images, registered meshes and poses.

The format is defined in docs/formats/generic_rig.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import ClassVar, NamedTuple

from rendering.mesh_files import MESH_FORMATS
from tasks.reasons import Reason
from tasks.sources.capture_files import CaptureFrames, left_out_note, refuse_capture
from tasks.sources.rig_file import UNITS_M, read_rig, rig_cameras
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

SUBSET = "generic"
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True, slots=True, kw_only=True)
class GenericRigSet:
    """A studio set in the generic rig format: a folder with a rig.json."""

    label: ClassVar[str] = "studio"
    kind: ClassVar[ClipKind] = "studio"

    folder: Path

    def scan(self) -> Catalogue:
        """Every capture of the set: a take of a subject as one camera saw it.

        Raises:
            ValueError: rig.json is wrong, or it lacks the camera of an image folder.
        """
        rig = read_rig(self.folder)
        shared = _Shared(
            cameras=rig_cameras(rig, self.folder),
            unit_m=UNITS_M[rig.units],
            template=_below(self.folder, rig.template, suffixes=MESH_FORMATS),
            face_vertices=_below(self.folder, rig.face_vertex_ids, suffixes=(".npy",)),
        )
        files = _sort_files(self.folder)
        entries: list[CaptureSource | RejectedSource] = [
            refuse_capture(name, refusal, subset=SUBSET, subject_id=name.split("/")[1])
            for name, refusal in files.stray.items()
        ]
        for place in sorted(files.images):
            if place.camera not in shared.cameras:
                raise ValueError(
                    f"{self.folder}: images of a camera {place.camera!r}, which rig.json lacks: "
                    f"{sorted(shared.cameras)}"
                )
            entries.append(_scan_capture(place, files, shared))
        return Catalogue.of(entries, skipped=files.skipped)


class _Place(NamedTuple):
    """The folders that name a capture."""

    subject: str
    take: str
    camera: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shared:
    """What the captures of a set share."""

    cameras: dict[str, CaptureCamera]
    unit_m: float
    template: Path | None
    face_vertices: Path | None


_FileByFrame = dict[str, Path | Refusal]


@dataclass(frozen=True, slots=True, kw_only=True)
class _SetFiles:
    """The files of a set by place and frame; meshes and poses belong to a (subject, take)."""

    images: dict[_Place, _FileByFrame]
    meshes: dict[tuple[str, str], _FileByFrame]
    poses: dict[tuple[str, str], _FileByFrame]
    stray: dict[str, Refusal]
    """Refused files where no file belongs, such as a link in place of a folder."""
    skipped: Mapping[str, int]


def _scan_capture(place: _Place, files: _SetFiles, shared: _Shared) -> CaptureSource | RejectedSource:
    name = "/".join(place)
    take = place.subject, place.take
    found = _frames(files.images[place], files.meshes.get(take, {}), files.poses.get(take, {}))
    if isinstance(found, Refusal):
        return refuse_capture(name, found, subset=SUBSET, subject_id=place.subject)
    return CaptureSource(
        clip_id=make_clip_id(SUBSET, name),
        source_name=name,
        subject_id=place.subject,
        subset=SUBSET,
        camera=shared.cameras[place.camera],
        length_unit_m=shared.unit_m,
        frames=found.frames,
        template=shared.template,
        face_vertices=shared.face_vertices,
        note=found.note,
    )


def _below(root: Path, name: str | None, *, suffixes: tuple[str, ...]) -> Path | None:
    """The file that rig.json names, which must lie inside the set."""
    if name is None:
        return None
    path = (root / name).resolve()
    if not path.is_relative_to(root.resolve()) or not path.is_file():
        raise ValueError(f"{root / 'rig.json'}: {name!r} is not a file below {root}")
    if path.suffix.lower() not in suffixes:
        raise ValueError(f"{root / 'rig.json'}: {name!r} must end in {' '.join(suffixes)}")
    return path


def _sort_files(root: Path) -> _SetFiles:
    skipped: Counter[str] = Counter()
    stray: dict[str, Refusal] = {}
    images = _by_place(root / "images", IMAGE_SUFFIXES, depth=3, skipped=skipped, stray=stray)
    # the other way round: of several meshes of one frame the format that is first in MESH_FORMATS is read
    formats = tuple(reversed(MESH_FORMATS))
    meshes = _by_place(root / "meshes", formats, depth=2, skipped=skipped, stray=stray)
    poses: dict[tuple[str, ...], _FileByFrame] = {}
    if (root / "poses").is_dir():
        poses = _by_place(root / "poses", (".txt",), depth=2, skipped=skipped, stray=stray)
    return _SetFiles(
        images={_Place(*folders): frames for folders, frames in images.items()},
        meshes={(subject, take): frames for (subject, take), frames in meshes.items()},
        poses={(subject, take): frames for (subject, take), frames in poses.items()},
        stray=stray,
        skipped=skipped,
    )


def _by_place(
    folder: Path,
    suffixes: tuple[str, ...],
    *,
    depth: int,
    skipped: Counter[str],
    stray: dict[str, Refusal],
) -> dict[tuple[str, ...], _FileByFrame]:
    """The files that lie `depth` folders below `folder`: names of the folders -> stem -> file.

    Of several files of one stem, the one whose suffix comes last in `suffixes` is taken. All other files
    are counted in `skipped`, or put into `stray` if they are refused.
    """
    listing: Listing = list_files(folder)
    placed: dict[tuple[str, ...], _FileByFrame] = {}
    found: _FileByFrame = {**listing.files, **listing.refused}
    for name in sorted(found, key=lambda name: (_rank(name, suffixes), name)):
        path = PurePosixPath(name)
        if len(path.parts) == depth + 1 and path.suffix.lower() in suffixes:
            placed.setdefault(path.parts[:-1], {})[path.stem] = found[name]
        elif name in listing.refused:
            stray[f"{folder.name}/{name}"] = listing.refused[name]
        else:
            skipped["unlisted"] += 1
    skipped.update(listing.skipped)
    return placed


def _rank(name: str, suffixes: tuple[str, ...]) -> int:
    suffix = PurePosixPath(name).suffix.lower()
    return suffixes.index(suffix) if suffix in suffixes else -1


def _frames(
    images: Mapping[str, Path | Refusal],
    meshes: Mapping[str, Path | Refusal],
    poses: Mapping[str, Path | Refusal],
) -> CaptureFrames | Refusal:
    """The frames that have a mesh, or why the capture is refused."""
    frames: list[CaptureFrame] = []
    for name in sorted(set(images) & set(meshes)):
        image, mesh, pose = images[name], meshes[name], poses.get(name)
        for file in (image, mesh, pose):
            if isinstance(file, Refusal):
                return Refusal(file.reason, f"frame {name!r}: {file.detail}")
        assert isinstance(image, Path)
        assert isinstance(mesh, Path)
        assert not isinstance(pose, Refusal)
        frames.append(CaptureFrame(name=name, image=image, mesh=mesh, pose=pose))
    if not frames:
        detail = f"none of its {len(images)} images has a mesh: missing"
        return Refusal(Reason.UNREADABLE, detail)
    return CaptureFrames(tuple(frames), left_out_note(sorted(set(images) - set(meshes))))
