"""Multiface: KRT, tracked_mesh, images (docs/formats/multiface.md)."""

from __future__ import annotations

from pathlib import Path

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

SUBSET = "multiface"
UNIT_M = 0.001
KRT_LINES = 8
"""Lines of a block of KRT: name, 3 rows of K, distortion, 3 rows of [R | t]."""


def scan_multiface(root: Path) -> Catalogue:
    """Every capture of an entity: a segment as one camera saw it.

    Raises:
        ValueError: KRT or frame_list.txt does not parse, or the folder lacks one of its parts.
    """
    cameras = read_krt(root / "KRT")
    listed = _read_frame_list(root / "frame_list.txt")
    images, meshes = list_files(root / "images"), list_files(root / "tracked_mesh")
    subject = f"multiface/{_entity(root)}"
    template = _template(root, meshes)
    takes = sorted(
        {tuple(name.split("/")[:2]) for name in (*images.files, *images.refused) if name.count("/") == 2}
    )
    entries: list[CaptureSource | RejectedSource] = []
    for segment, camera in takes:
        name = f"{_entity(root)}/{segment}/{camera}"
        if camera not in cameras:
            raise ValueError(f"{root / 'KRT'} lacks the camera {camera!r}, of which there are images")
        found = _frames(segment, camera, images, meshes, listed)
        if isinstance(found, Refusal):
            entries.append(refuse_capture(SUBSET, name, subject, found.reason, found.detail))
            continue
        entries.append(
            CaptureSource(
                clip_id=make_clip_id(SUBSET, name),
                source_name=name,
                subject_id=subject,
                subset=SUBSET,
                camera=cameras[camera],
                length_unit_m=UNIT_M,
                frames=found[0],
                template=template,
                note=found[1],
            )
        )
    return Catalogue(
        sources=tuple(entry for entry in entries if isinstance(entry, CaptureSource)),
        rejected=tuple(entry for entry in entries if isinstance(entry, RejectedSource)),
        skipped=images.skipped + meshes.skipped,
    )


def read_krt(path: Path) -> dict[str, CaptureCamera]:
    """The cameras of a KRT file by name.

    Raises:
        ValueError: it is missing, or a block does not parse; names the line.
    """
    cameras: dict[str, CaptureCamera] = {}
    lines = [(number, line.strip()) for number, line in enumerate(_text(path).splitlines(), start=1)]
    filled = [(number, line) for number, line in lines if line]
    if not filled or len(filled) % KRT_LINES:
        raise ValueError(
            f"{path}: {len(filled)} lines are no whole number of cameras of {KRT_LINES} lines each"
        )
    for start in range(0, len(filled), KRT_LINES):
        block = filled[start : start + KRT_LINES]
        number, name = block[0]
        try:
            rows = [[float(word) for word in line.split()] for _, line in block[1:]]
            camera = convert_camera(
                rows[0:3], distortion=rows[3], world_to_camera=rows[4:7], size=None, unit_m=UNIT_M
            )
        except ValueError as error:
            raise ValueError(f"{path}:{number}: camera {name!r}: {error}") from error
        if name in cameras:
            raise ValueError(f"{path}:{number}: a second camera {name!r}")
        cameras[name] = camera
    return cameras


def _read_frame_list(path: Path) -> set[tuple[str, str]] | None:
    """(segment, frame) of every listed frame; None where there is no list and all frames count."""
    if not path.exists():
        return None
    listed = set()
    for number, line in enumerate(_text(path).splitlines(), start=1):
        words = line.split()
        if len(words) == 2:
            listed.add((words[0], words[1]))
        elif words:
            raise ValueError(f"{path}:{number}: {line!r} is no line <segment> <frame>")
    return listed


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 text at byte {error.start}") from error


def _entity(root: Path) -> str:
    """The person: "m--20180227--0000--6795937--GHS" -> "6795937"."""
    name = root.resolve().name
    parts = name.split("--")
    return parts[3] if len(parts) == 5 else name


def _template(root: Path, meshes: Listing) -> Path:
    """The first .obj: all meshes share its triangles, and the .bin files have none."""
    objects = [path for name, path in sorted(meshes.files.items()) if name.endswith(".obj")]
    if not objects:
        raise ValueError(
            f"{root / 'tracked_mesh'} holds no .obj, which has the triangles; fetch at least one"
        )
    return objects[0]


def _frames(
    segment: str, camera: str, images: Listing, meshes: Listing, listed: set[tuple[str, str]] | None
) -> tuple[tuple[CaptureFrame, ...], str] | Refusal:
    """(frames, what was left out), or why there is none."""
    prefix = f"{segment}/{camera}/"
    for name, refusal in images.refused.items():
        if name.startswith(prefix):
            return Refusal(refusal.reason, f"{name}: {refusal.detail}")
    names = sorted(
        name.removeprefix(prefix).removesuffix(".png")
        for name in images.files
        if name.startswith(prefix) and name.endswith(".png")
    )
    wanted = [name for name in names if listed is None or (segment, name) in listed]
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
    return tuple(frames), left_out_note(without_mesh)
