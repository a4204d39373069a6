"""HDTF: clips of raw videos by interval and crop, clips cut already, or clips cut and cropped already."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from model.settings import Settings
from tasks.reasons import Reason
from tasks.sources.hdtf_lists import HdtfSubset, read_hdtf_lists
from tasks.sources.listed_files import MISSING, FoundFile, ListedFiles
from tasks.sources.source import Catalogue, ClipSource, DeclaredCrop, RejectedSource, make_clip_id
from tasks.sources.subjects import hdtf_person
from tasks.sources.walk_files import Refusal, list_files

SIDE_CARS = (".txt", ".json", ".csv", ".md", ".part", ".ytdl")


class HdtfSettings(Settings):
    """Where HDTF is and in which form."""

    annotations: Path
    """Folder of the lists: HDTF_dataset, with RD_annotion_time.txt and so on."""
    videos: Path
    """Folder of the videos, scanned recursively; any container."""
    layout: Literal["raw", "cut", "cropped"]
    """raw: whole videos <name>, cut and cropped by the lists; cut: one file a clip, <name>_<k> or
    <SUBSET>_<name>_<kkk>, cropped by the lists; cropped: clips that are the 512 px crop already
    (the crop stage takes a square frame that the face fills as it is)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _ListedClip:
    """One interval of one video; index None: the video has no interval."""

    subset: HdtfSubset
    video: str
    index: int | None

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


def scan_hdtf(settings: HdtfSettings) -> Catalogue:
    """Every clip that the lists name: a source where its file is there, else a rejected one.

    Raises:
        ValueError: a list is missing or does not parse; the videos folder is missing.
    """
    listing = list_files(settings.videos, side_cars=SIDE_CARS)
    files = ListedFiles(listing)
    sources: list[ClipSource] = []
    rejected: list[RejectedSource] = []
    for clip in _listed_clips(settings.annotations):
        file = files.find(_stems(clip, settings.layout), folder=clip.subset.subset)
        if clip.index is None:
            no_interval = Refusal(Reason.UNREADABLE, f"{clip.video!r} is listed without an interval")
            rejected.append(_refuse(clip, file, no_interval))
        elif file is None:
            rejected.append(_refuse(clip, file, MISSING))
        elif isinstance(file.found, Refusal):
            rejected.append(_refuse(clip, file, file.found))
        else:
            sources.append(_source(clip, file.name, file.found, settings.layout))
    return Catalogue(
        sources=tuple(sources),
        rejected=tuple(rejected),
        skipped={**listing.skipped, "unlisted": files.unlisted},
    )


def _listed_clips(annotations: Path) -> Iterator[_ListedClip]:
    for subset in read_hdtf_lists(annotations):
        for video in subset.videos:
            count = len(subset.intervals.get(video, ()))
            for index in range(count) if count else [None]:
                yield _ListedClip(subset=subset, video=video, index=index)


def _stems(clip: _ListedClip, layout: str) -> list[str]:
    """File names without suffix that a clip may have, best first."""
    prefix = clip.subset.subset
    if layout == "raw" or clip.index is None:
        return [f"{prefix}_{clip.video}", clip.video]
    return [f"{prefix}_{clip.video}_{clip.index:03d}", f"{prefix}_{clip.name}", clip.name]


def _source(clip: _ListedClip, file_name: str, path: Path, layout: str) -> ClipSource:
    start, end = clip.interval if layout == "raw" else (None, None)
    crop, note = (None, "") if layout == "cropped" else _crop(clip)
    # a crop of its own scales the focal length of a clip: only uncropped clips of a video share it
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
