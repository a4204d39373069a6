"""What a scan finds: clips to cut from videos, studio captures, and what is refused at sight."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from tasks.reasons import Reason
from tasks.stage import Json
from tasks.store.canonical import canonical_json

ID_DIGITS = 16
"""Hex digits of a clip id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredCrop:
    """A data set's own crop, in px of a frame that is ref_height high.

    The crop stage scales it by actual height / ref_height, and takes its own face crop where the result
    leaves the frame or misses the face.
    """

    x: int
    y: int
    w: int
    h: int
    ref_height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipSource:
    """One talking-head clip: an interval of a video file, or a folder of numbered pictures."""

    clip_id: str
    source_name: str
    """Path below its source folder, '/'-separated."""
    path: Path
    """The video file, or the folder that holds `images`."""
    video_id: str
    """The source video that it comes from: its clips share one focal length."""
    subject_id: str
    subset: str
    """Which list or folder it is from: "clips", "hdtf/RD", "vfhq" ..."""
    start_s: float | None = None
    """Start of the interval in the file, seconds; None = the first frame."""
    end_s: float | None = None
    """End of the interval; None = the last frame."""
    declared_crop: DeclaredCrop | None = None
    """The crop that the list states; None = our own face crop."""
    note: str = ""
    """What is odd about the list's entry, in words; "" = nothing."""
    images: tuple[Path, ...] = ()
    """The frames in order, where the source is a folder of pictures."""
    images_fps: float | None = None
    """Frame rate of `images`."""

    kind: Literal["wild"] = field(default="wild", init=False)

    @property
    def files(self) -> dict[str, Path]:
        """Role -> file."""
        if self.images:
            return {f"image/{index:06d}": path for index, path in enumerate(self.images)}
        return {"source": self.path}

    @property
    def interval(self) -> tuple[float | None, float | None]:
        """(start, end), seconds."""
        return self.start_s, self.end_s

    @property
    def values(self) -> dict[str, Json]:
        """What the stages may read; names that say nothing are left out."""
        crop = None if self.declared_crop is None else asdict(self.declared_crop)
        given = {
            "source_start_s": self.start_s,
            "source_end_s": self.end_s,
            "declared_crop": crop,
            "images_fps": self.images_fps,
        }
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureCamera:
    """A calibrated camera of a studio: OpenCV axes, metres, corner pixel origin (rendering/camera.py)."""

    matrix: tuple[float, ...]
    """3x3 row-major K of the undistorted image, px; no skew."""
    distortion: tuple[float, ...]
    """0, 4, 5 or 8 Brown-Conrady coefficients (rendering/distortion.py)."""
    world_to_camera: tuple[float, ...]
    """4x4 row-major, x_camera = w2c x_world, m."""
    size: tuple[int, int] | None
    """(width, height) of the images, px; None = not stated, the first image tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureFrame:
    """One picture of a capture with its registered mesh."""

    name: str
    image: Path
    mesh: Path
    pose: Path | None = None
    """Text file of the mesh-to-world transform, 3 or 4 rows of 4; None = identity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureSource:
    """One studio capture: a subject's take as one camera saw it."""

    clip_id: str
    source_name: str
    """`<subject>/<take>/<camera>`."""
    subject_id: str
    subset: str
    """"generic", "multiface" or "facescape"."""
    camera: CaptureCamera
    length_unit_m: float
    """Metres per unit of the meshes and of the poses' translations."""
    frames: tuple[CaptureFrame, ...]
    """In order of their names; at least one."""
    template: Path | None = None
    """File with the triangles, where the meshes' own files have none (.npz or .obj)."""
    face_vertices: Path | None = None
    """.npy of the vertex ids of facial skin; None = every triangle counts."""
    note: str = ""
    """Frames left out, in words; "" = none."""

    kind: Literal["studio"] = field(default="studio", init=False)

    @property
    def video_id(self) -> str:
        """A capture is its own video: its focal length is calibrated."""
        return self.clip_id

    @property
    def files(self) -> dict[str, Path]:
        """Role -> file: "image/<k>", "mesh/<k>", "pose/<k>", "template", "face_vertices"."""
        files: dict[str, Path] = {}
        for index, frame in enumerate(self.frames):
            files[f"image/{index:06d}"] = frame.image
            files[f"mesh/{index:06d}"] = frame.mesh
            if frame.pose is not None:
                files[f"pose/{index:06d}"] = frame.pose
        if self.template is not None:
            files["template"] = self.template
        if self.face_vertices is not None:
            files["face_vertices"] = self.face_vertices
        return files

    @property
    def interval(self) -> tuple[float | None, float | None]:
        """A capture is taken whole."""
        return None, None

    @property
    def values(self) -> dict[str, Json]:
        """What the undistort stage reads."""
        camera = {name: None if value is None else list(value) for name, value in asdict(self.camera).items()}
        return {
            "camera": camera,
            "length_unit_m": self.length_unit_m,
            "mesh_formats": [frame.mesh.suffix.lower() for frame in self.frames],
            "template_format": None if self.template is None else self.template.suffix.lower(),
        }


Source = ClipSource | CaptureSource


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedSource:
    """A source that is refused before any stage runs."""

    clip_id: str
    kind: Literal["wild", "studio"]
    source_name: str
    subject_id: str
    subset: str
    reason: Reason
    detail: str
    start_s: float | None = None
    end_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """Every source of a build, each exactly once, sorted by (subset, source name, start)."""

    sources: tuple[Source, ...]
    rejected: tuple[RejectedSource, ...]
    skipped: Mapping[str, int]
    """Files that are no sources: {"hidden": 2, "side-car": 7, "truth": 1}."""


def make_clip_id(
    subset: str, source_name: str, start_s: float | None = None, end_s: float | None = None
) -> str:
    """The stable id of a source: which folder or list, which name, which interval; no absolute paths."""
    named = canonical_json([subset, source_name, start_s, end_s])
    return hashlib.sha256(named).hexdigest()[:ID_DIGITS]


def merge_catalogues(parts: Sequence[Catalogue]) -> Catalogue:
    """One catalogue out of several.

    Raises:
        ValueError: two of them hold a source of the same name.
    """
    entries = [entry for part in parts for entry in (*part.sources, *part.rejected)]
    seen: set[str] = set()
    for entry in entries:
        if entry.clip_id in seen:
            raise ValueError(
                f"two sources of {entry.subset!r} are called {entry.source_name!r}: names must differ over "
                "all folders of a setting; rename one, or give the folders' common parent folder"
            )
        seen.add(entry.clip_id)
    skipped: dict[str, int] = {}
    for part in parts:
        for kind, count in part.skipped.items():
            skipped[kind] = skipped.get(kind, 0) + count
    return Catalogue(
        sources=tuple(sorted((source for part in parts for source in part.sources), key=_order)),
        rejected=tuple(sorted((source for part in parts for source in part.rejected), key=_order)),
        skipped=dict(sorted(skipped.items())),
    )


def _order(entry: Source | RejectedSource) -> tuple[str, str, float]:
    start = None if isinstance(entry, CaptureSource) else entry.start_s
    return entry.subset, entry.source_name, start or 0.0
