"""Multiface: cameras from KRT, meshes from tracked_mesh and images (docs/formats/multiface.md)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tasks.reasons import Reason
from tasks.sources.capture_files import CaptureFrames, convert_camera, left_out_note, refuse_capture
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

SUBSET = "multiface"
UNIT_M = 0.001
"""Metres per unit: millimetres, by the size of the tracked heads; the set does not state it."""
KRT_LINES = 8
"""Lines of each camera in KRT: name, 3 rows of K, distortion, 3 rows of [R | t]."""
K_ROWS, DISTORTION_ROW, POSE_ROWS = slice(0, 3), 3, slice(4, 7)
"""Where they lie among the lines that follow the name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MultifaceEntity:
    """The folder of one recorded person, which Multiface calls an entity."""

    label: ClassVar[str] = "Multiface"
    kind: ClassVar[ClipKind] = "studio"

    folder: Path

    def scan(self) -> Catalogue:
        """Every capture of the entity: a segment as one camera saw it.

        Raises:
            ValueError: KRT or frame_list.txt does not parse, or the folder lacks one of its parts.
        """
        parts = _read_parts(self.folder)
        found = (*parts.images.files, *parts.images.refused)
        takes = sorted({tuple(name.split("/")[:2]) for name in found if name.count("/") == 2})
        entries = [_scan_take(parts, segment, camera) for segment, camera in takes]
        return Catalogue.of(entries, skipped=parts.images.skipped + parts.meshes.skipped)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """What the captures of an entity share."""

    person: str
    krt: Path
    cameras: dict[str, CaptureCamera]
    listed: set[tuple[str, str]] | None
    """(segment, frame) of the frames that count; None = all frames."""
    images: Listing
    meshes: Listing
    template: Path


def _read_parts(root: Path) -> _Parts:
    cameras = read_krt(root / "KRT")
    listed = _read_frame_list(root / "frame_list.txt")
    images, meshes = list_files(root / "images"), list_files(root / "tracked_mesh")
    return _Parts(
        person=_person(root),
        krt=root / "KRT",
        cameras=cameras,
        listed=listed,
        images=images,
        meshes=meshes,
        template=_template(root, meshes),
    )


def _scan_take(parts: _Parts, segment: str, camera: str) -> CaptureSource | RejectedSource:
    name = f"{parts.person}/{segment}/{camera}"
    subject = f"multiface/{parts.person}"
    if camera not in parts.cameras:
        raise ValueError(f"{parts.krt} lacks the camera {camera!r}, of which there are images")
    found = _frames(parts, segment, camera)
    if isinstance(found, Refusal):
        return refuse_capture(name, found, subset=SUBSET, subject_id=subject)
    return CaptureSource(
        clip_id=make_clip_id(SUBSET, name),
        source_name=name,
        subject_id=subject,
        subset=SUBSET,
        camera=parts.cameras[camera],
        length_unit_m=UNIT_M,
        frames=found.frames,
        template=parts.template,
        note=found.note,
    )


def read_krt(path: Path) -> dict[str, CaptureCamera]:
    """The cameras of a KRT file, by name.

    Raises:
        ValueError: the file is missing, or a block does not parse; the message names the line.
    """
    cameras: dict[str, CaptureCamera] = {}
    lines = [(number, line.strip()) for number, line in enumerate(_text(path).splitlines(), start=1)]
    filled = [(number, line) for number, line in lines if line]
    if not filled or len(filled) % KRT_LINES:
        raise ValueError(
            f"{path}: {len(filled)} lines are not a whole number of cameras of {KRT_LINES} lines each"
        )
    for start in range(0, len(filled), KRT_LINES):
        block = filled[start : start + KRT_LINES]
        number, name = block[0]
        try:
            rows = [[float(word) for word in line.split()] for _, line in block[1:]]
            camera = convert_camera(
                rows[K_ROWS],
                distortion=rows[DISTORTION_ROW],
                world_to_camera=rows[POSE_ROWS],
                size=None,
                unit_m=UNIT_M,
            )
        except ValueError as error:
            raise ValueError(f"{path}:{number}: camera {name!r}: {error}") from error
        if name in cameras:
            raise ValueError(f"{path}:{number}: a second camera {name!r}")
        cameras[name] = camera
    return cameras


def _read_frame_list(path: Path) -> set[tuple[str, str]] | None:
    """(segment, frame) of every listed frame; None if there is no list, so that all frames count."""
    if not path.exists():
        return None
    listed = set()
    for number, line in enumerate(_text(path).splitlines(), start=1):
        words = line.split()
        if len(words) == 2:
            listed.add((words[0], words[1]))
        elif words:
            raise ValueError(f"{path}:{number}: {line!r} is not a line <segment> <frame>")
    return listed


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 text at byte {error.start}") from error


def _person(root: Path) -> str:
    """Number of the person: "m--20180227--0000--6795937--GHS" -> "6795937"."""
    name = root.resolve().name
    parts = name.split("--")
    return parts[3] if len(parts) == 5 else name


def _template(root: Path, meshes: Listing) -> Path:
    """The first .obj by name. All meshes share its triangles, and the .bin files have none."""
    objects = [path for name, path in sorted(meshes.files.items()) if name.endswith(".obj")]
    if not objects:
        raise ValueError(
            f"{root / 'tracked_mesh'} holds no .obj, from which the triangles are read; add at least one"
        )
    return objects[0]


def _frames(parts: _Parts, segment: str, camera: str) -> CaptureFrames | Refusal:
    """The frames that are listed and have a mesh and a transform, or why there is none."""
    images, meshes = parts.images, parts.meshes
    prefix = f"{segment}/{camera}/"
    for name, refusal in images.refused.items():
        if name.startswith(prefix):
            return Refusal(refusal.reason, f"{name}: {refusal.detail}")
    names = sorted(
        name.removeprefix(prefix).removesuffix(".png")
        for name in images.files
        if name.startswith(prefix) and name.endswith(".png")
    )
    # an entity without frame_list.txt is taken whole
    wanted = [name for name in names if parts.listed is None or (segment, name) in parts.listed]
    frames, without_mesh = [], []
    for name in wanted:
        mesh = meshes.files.get(f"{segment}/{name}.bin") or meshes.files.get(f"{segment}/{name}.obj")
        pose = meshes.files.get(f"{segment}/{name}_transform.txt")
        if mesh is None or pose is None:
            without_mesh.append(name)
        else:
            image = images.files[f"{prefix}{name}.png"]
            frames.append(CaptureFrame(name=name, image=image, mesh=mesh, pose=pose))
    if not frames:
        detail = f"none of its {len(names)} images is listed and has a mesh and a transform: missing"
        return Refusal(Reason.UNREADABLE, detail)
    return CaptureFrames(tuple(frames), left_out_note(without_mesh))
