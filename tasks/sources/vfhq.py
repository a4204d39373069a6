"""VFHQ: one meta file for each clip, which is a folder of pictures, a cut video or part of a whole video.

The format is described in docs/formats/vfhq.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import ClassVar

from model.settings import Settings
from tasks.reasons import Reason
from tasks.sources.listed_files import MISSING, ListedFiles
from tasks.sources.source import Catalogue, ClipKind, ClipSource, RejectedSource, make_clip_id
from tasks.sources.vfhq_meta import VfhqMeta, read_vfhq_meta
from tasks.sources.walk_files import Listing, Refusal, list_files

SUBSET = "vfhq"
SIDE_CARS = (".txt", ".json", ".csv", ".md", ".part", ".ytdl")
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")


class VfhqSettings(Settings):
    """Folders of the VFHQ data set."""

    label: ClassVar[str] = "VFHQ"
    kind: ClassVar[ClipKind] = "wild"

    meta: Path
    """Folder of the VFHQ meta files, Clip+<id>+P<p>+C<c>+F<start>-<end>.txt."""
    clips: Path
    """Folder of the VFHQ clips, scanned recursively. A clip is a folder of pictures or a cut video with
    the name of its meta file, or an interval of the whole video <id>."""

    @property
    def folder(self) -> Path:
        """Folder of the clips."""
        return self.clips

    def scan(self) -> Catalogue:
        """Every clip that has a meta file: a source if its pictures or video are there, else a rejected one.

        Raises:
            ValueError: a meta file does not parse; a folder is missing.
        """
        listing = list_files(self.clips, side_cars=SIDE_CARS, is_leaf=lambda name: name.startswith("Clip+"))
        # reversed, so that of two folders of the same name the first by path is kept
        folders = {PurePosixPath(name).name: name for name in sorted(listing.folders, reverse=True)}
        files = ListedFiles(listing)
        entries = [_locate(meta, listing, folders, files) for meta in read_vfhq_meta(self.meta)]
        return Catalogue.of(entries, skipped={**listing.skipped, "unlisted": files.unlisted})


def _locate(
    meta: VfhqMeta, listing: Listing, folders: dict[str, str], files: ListedFiles
) -> ClipSource | RejectedSource:
    if meta.name in folders:
        return _from_pictures(meta, folders[meta.name], listing.folders[folders[meta.name]])
    file = files.find([meta.name, meta.video])
    if file is None:
        return _refuse(meta, meta.name, MISSING)
    if isinstance(file.found, Refusal):
        return _refuse(meta, file.name, file.found)
    clip = _clip(meta, file.name, file.found)
    if PurePosixPath(file.name).stem == meta.name:
        return clip
    crop, note = meta.declared_crop()
    # the clip is frames start + 1 .. end - 1: from the first one's time to the end of the last one's
    return replace(
        clip,
        video_id=make_clip_id(SUBSET, meta.video),
        start_s=(meta.start + 1) / meta.fps,
        end_s=meta.end / meta.fps,
        declared_crop=crop,
        note=note,
    )


def _from_pictures(meta: VfhqMeta, name: str, folder: Path) -> ClipSource | RejectedSource:
    pictures = list_files(folder, side_cars=SIDE_CARS)
    images = {
        int(PurePosixPath(file).stem): path
        for file, path in pictures.files.items()
        if PurePosixPath(file).stem.isdecimal() and PurePosixPath(file).suffix.lower() in IMAGE_SUFFIXES
    }
    if pictures.refused:
        first = min(pictures.refused)
        refusal = pictures.refused[first]
        return _refuse(meta, name, Refusal(refusal.reason, f"{first}: {refusal.detail}"))
    if not images:
        return _refuse(
            meta, name, Refusal(Reason.EMPTY, "the folder holds no numbered .png or .jpg pictures")
        )
    gap = _first_gap(images)
    if gap is not None:
        return _refuse(meta, name, Refusal(Reason.TRUNCATED, f"picture {gap:08d} is missing"))
    note = (
        ""
        if len(images) == meta.frames
        else f"{len(images)} pictures, the meta file says {meta.frames} frames"
    )
    return replace(
        _clip(meta, name, folder),
        images=tuple(images[number] for number in sorted(images)),
        images_fps=meta.fps,
        note=note,
    )


def _first_gap(numbers: Iterable[int]) -> int | None:
    ordered = sorted(numbers)
    return next((low + 1 for low, high in pairwise(ordered) if high != low + 1), None)


def _clip(meta: VfhqMeta, name: str, path: Path) -> ClipSource:
    clip_id = make_clip_id(SUBSET, meta.name)
    return ClipSource(
        clip_id=clip_id,
        source_name=name,
        path=path,
        video_id=clip_id,
        subject_id=meta.subject_id,
        subset=SUBSET,
    )


def _refuse(meta: VfhqMeta, name: str, refusal: Refusal) -> RejectedSource:
    return RejectedSource(
        clip_id=make_clip_id(SUBSET, meta.name),
        kind="wild",
        source_name=name,
        subject_id=meta.subject_id,
        subset=SUBSET,
        reason=refusal.reason,
        detail=refusal.detail,
    )
