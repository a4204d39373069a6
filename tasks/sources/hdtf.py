"""HDTF: talking-head clips as intervals and crops of whole videos, as cut files, or as cropped files.

The format is described in docs/formats/hdtf.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from model.settings import Settings
from tasks.reasons import Reason
from tasks.sources.hdtf_lists import HdtfSubset, read_hdtf_lists
from tasks.sources.listed_files import MISSING, FoundFile, ListedFiles
from tasks.sources.source import (
    Catalogue,
    ClipKind,
    ClipSource,
    DeclaredCrop,
    RejectedSource,
    make_clip_id,
)
from tasks.sources.subjects import hdtf_person
from tasks.sources.walk_files import Refusal, list_files

SIDE_CARS = (".txt", ".json", ".csv", ".md", ".part", ".ytdl")


class HdtfSettings(Settings):
    """Folders and layout of the HDTF data set."""

    label: ClassVar[str] = "HDTF"
    kind: ClassVar[ClipKind] = "wild"

    annotations: Path
    """Folder of the HDTF lists: HDTF_dataset, which holds RD_annotion_time.txt and so on."""
    videos: Path
    """Folder of the HDTF videos, scanned recursively; any container."""
    layout: Literal["raw", "cut", "cropped"]
    """Form of the HDTF videos. raw: whole videos <name>, cut and cropped by the lists. cut: one file for
    each clip, <name>_<k> or <SUBSET>_<name>_<kkk>, cropped by the lists. cropped: clips that are 512 px
    crops already; the crop stage keeps a square frame that the face fills."""

    @property
    def folder(self) -> Path:
        """Folder of the videos."""
        return self.videos

    def scan(self) -> Catalogue:
        """Every clip that the lists name: a source if its file is there, else a rejected one.

        Raises:
            ValueError: a list is missing or does not parse; the videos folder is missing.
        """
        listing = list_files(self.videos, side_cars=SIDE_CARS)
        files = ListedFiles(listing)
        entries = [_find(clip, files, self.layout) for clip in _listed_clips(self.annotations)]
        return Catalogue.of(entries, skipped={**listing.skipped, "unlisted": files.unlisted})


@dataclass(frozen=True, slots=True, kw_only=True)
class _ListedClip:
    """One interval of one video."""

    subset: HdtfSubset
    video: str
    index: int | None
    """Number of the interval, from 0; None = the lists state no interval of the video."""

    @property
    def name(self) -> str:
        return self.video if self.index is None else f"{self.video}_{self.index}"

    @property
    def interval(self) -> tuple[float | None, float | None]:
        if self.index is None:
            return None, None
        start, end = self.subset.intervals[self.video][self.index]
        return float(start), float(end)

    @property
    def subset_name(self) -> str:
        return f"hdtf/{self.subset.subset}"

    @property
    def subject_id(self) -> str:
        # "Radio10" and "Radio11" are two people, "AdamSchiff0" and "AdamSchiff1" are one
        if self.subset.subset == "RD":
            return f"hdtf/RD/{self.video}"
        return f"hdtf/{hdtf_person(self.video)}"

    @property
    def clip_id(self) -> str:
        return make_clip_id(self.subset_name, self.name, *self.interval)


def _listed_clips(annotations: Path) -> Iterator[_ListedClip]:
    for subset in read_hdtf_lists(annotations):
        for video in subset.videos:
            count = len(subset.intervals.get(video, ()))
            for index in range(count) if count else [None]:
                yield _ListedClip(subset=subset, video=video, index=index)


def _find(clip: _ListedClip, files: ListedFiles, layout: str) -> ClipSource | RejectedSource:
    file = files.find(_stems(clip, layout), folder=clip.subset.subset)
    if clip.index is None:
        no_interval = Refusal(Reason.UNREADABLE, f"{clip.video!r} is listed without an interval")
        return _refuse(clip, file, no_interval)
    if file is None:
        return _refuse(clip, file, MISSING)
    if isinstance(file.found, Refusal):
        return _refuse(clip, file, file.found)
    return _source(clip, file.name, file.found, layout)


def _stems(clip: _ListedClip, layout: str) -> list[str]:
    """File names without suffix that a clip may have, in order of preference."""
    prefix = clip.subset.subset
    if layout == "raw" or clip.index is None:
        return [f"{prefix}_{clip.video}", clip.video]
    return [f"{prefix}_{clip.video}_{clip.index:03d}", f"{prefix}_{clip.name}", clip.name]


def _source(clip: _ListedClip, file_name: str, path: Path, layout: str) -> ClipSource:
    start, end = clip.interval if layout == "raw" else (None, None)
    crop, note = (None, "") if layout == "cropped" else _crop(clip)
    # Cropping rescales the focal length, so clips that come cropped do not share one with their video.
    video = clip.name if layout == "cropped" else clip.video
    return ClipSource(
        clip_id=clip.clip_id,
        source_name=file_name,
        path=path,
        video_id=make_clip_id(clip.subset_name, video),
        subject_id=clip.subject_id,
        subset=clip.subset_name,
        start_s=start,
        end_s=end,
        declared_crop=crop,
        note=note,
    )


def _crop(clip: _ListedClip) -> tuple[DeclaredCrop | None, str]:
    """(crop, "") or (None, why the listed crop cannot be used)."""
    listed = clip.subset.crops.get(clip.name)
    if listed is None:
        return None, f"HDTF lists no crop of {clip.name}"
    height = clip.subset.heights.get(clip.video, 0)
    if not height:
        return None, f"HDTF states no resolution of {clip.video}, which its crop refers to"
    if listed.y + listed.height > height:
        return None, f"HDTF's crop of {clip.name} reaches to {listed.y + listed.height} px of {height}"
    crop = DeclaredCrop(
        x=listed.x,
        y=listed.y,
        w=listed.width,
        h=listed.height,
        ref_height=height,
    )
    return crop, ""


def _refuse(clip: _ListedClip, file: FoundFile | None, refusal: Refusal) -> RejectedSource:
    start, end = clip.interval
    return RejectedSource(
        clip_id=clip.clip_id,
        kind="wild",
        source_name=file.name if file else clip.name,
        subject_id=clip.subject_id,
        subset=clip.subset_name,
        reason=refusal.reason,
        detail=refusal.detail,
        start_s=start,
        end_s=end,
    )
