"""What a scan finds: clips to cut from videos, studio captures, and sources that are refused at once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, Self

from tasks.reasons import Reason
from tasks.stage import Json
from tasks.store.canonical import canonical_json

ID_DIGITS = 16
"""Hex digits of a clip id."""

ClipKind = Literal["wild", "studio"]
"""Talking-head clips, or studio captures: the two chains of tasks/dag.py."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredCrop:
    """A crop stated by a data set, in px of a frame whose height is ref_height.

    The crop stage scales it by actual height / ref_height. Where the result leaves the frame or misses the
    face, the stage computes its own face crop instead.
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
    """Path below the source folder, '/'-separated."""
    path: Path
    """The video file, or the folder that holds `images`."""
    video_id: str
    """The video that the clip comes from; clips of one video share one focal length."""
    subject_id: str
    """The person; the split into train, validation and test goes by it."""
    subset: str
    """The list or folder that names the clip: "clips", "hdtf/RD", "vfhq" ..."""
    start_s: float | None = None
    """Start of the interval in the file, seconds; None = the first frame."""
    end_s: float | None = None
    """End of the interval in the file, seconds; None = the last frame."""
    declared_crop: DeclaredCrop | None = None
    """The crop that the list states; None = the crop stage computes a face crop."""
    note: str = ""
    """What is unusual about the list's entry; "" = nothing."""
    images: tuple[Path, ...] = ()
    """The frames in order, if the source is a folder of pictures."""
    images_fps: float | None = None
    """Frame rate of `images`, frames a second."""

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
        """What the stages may read; values that are None are left out."""
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
    """(width, height) of the images, px; None = not stated, the size of the first image counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureFrame:
    """One picture of a capture with its registered mesh."""

    name: str
    """Name of the frame: its image file without the suffix, or FaceScape's view."""
    image: Path
    mesh: Path
    pose: Path | None = None
    """Text file of the mesh-to-world transform, 3 or 4 rows of 4; None = identity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureSource:
    """One studio capture: one take of a subject, as one camera saw it."""

    clip_id: str
    source_name: str
    """`<subject>/<take>/<camera>`."""
    subject_id: str
    subset: str
    """"generic", "multiface" or "facescape"."""
    camera: CaptureCamera
    length_unit_m: float
    """Metres per unit of the meshes and of the translations of the poses."""
    frames: tuple[CaptureFrame, ...]
    """At least one frame, in order of names."""
    template: Path | None = None
    """File with the triangles (.npz or .obj), for meshes whose own files have none."""
    face_vertices: Path | None = None
    """.npy of the vertex ids of facial skin; None = every triangle counts."""
    note: str = ""
    """Frames that were left out, and why; "" = none."""

    kind: Literal["studio"] = field(default="studio", init=False)

    @property
    def video_id(self) -> str:
        """The capture itself: its focal length is calibrated, so none is estimated over several clips."""
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
        """(None, None): a capture is taken whole."""
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
    kind: ClipKind
    source_name: str
    subject_id: str
    subset: str
    reason: Reason
    detail: str
    start_s: float | None = None
    end_s: float | None = None

    @classmethod
    def of(cls, source: Source, reason: Reason, detail: str) -> Self:
        """The refusal of a source that a scan found."""
        start_s, end_s = source.interval
        return cls(
            clip_id=source.clip_id,
            kind=source.kind,
            source_name=source.source_name,
            subject_id=source.subject_id,
            subset=source.subset,
            reason=reason,
            detail=detail,
            start_s=start_s,
            end_s=end_s,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """What one or several data sets hold: every source exactly once."""

    sources: tuple[Source, ...]
    rejected: tuple[RejectedSource, ...]
    skipped: Mapping[str, int]
    """How many files are no sources, by kind: {"hidden": 2, "side-car": 7, "truth": 1}."""

    @classmethod
    def of(cls, entries: Iterable[Source | RejectedSource], *, skipped: Mapping[str, int]) -> Self:
        """A catalogue of sources and refusals in the order of a scan."""
        entries = tuple(entries)
        return cls(
            sources=tuple(entry for entry in entries if not isinstance(entry, RejectedSource)),
            rejected=tuple(entry for entry in entries if isinstance(entry, RejectedSource)),
            skipped=skipped,
        )


def make_clip_id(
    subset: str, source_name: str, start_s: float | None = None, end_s: float | None = None
) -> str:
    """The stable id of a source, from its subset, name and interval.

    No absolute path enters it: the id stays the same wherever the folder lies.
    """
    named = canonical_json([subset, source_name, start_s, end_s])
    return hashlib.sha256(named).hexdigest()[:ID_DIGITS]


def merge_catalogues(parts: Sequence[Catalogue]) -> Catalogue:
    """One catalogue of several, sorted by subset, source name and start.

    Raises:
        ValueError: two catalogues hold a source of the same name.
    """
    entries = [entry for part in parts for entry in (*part.sources, *part.rejected)]
    known: set[str] = set()
    for entry in entries:
        if entry.clip_id in known:
            raise ValueError(
                f"two sources of {entry.subset!r} are called {entry.source_name!r}: names must differ across "
                "all folders of a setting; rename one, or give the common parent folder instead"
            )
        known.add(entry.clip_id)
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
