"""A folder of clips: every file below it is a source, unless it is hidden, a side-car or ground truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from tasks.sources.source import Catalogue, ClipSource, RejectedSource, make_clip_id
from tasks.sources.subjects import SubjectSettings, read_subjects, subject_of
from tasks.sources.walk_files import Listing, list_files

SUBSET = "clips"
SIDE_CARS = (".csv", ".json", ".md", ".npy", ".npz", ".txt")
"""Suffixes of files that stand beside clips: notes, labels, transcripts. All other files are sources,
so that a sound file or a picture among the clips ends as a row with its reason, not as silence."""


def scan_folder(root: Path, *, subjects: SubjectSettings) -> Catalogue:
    """Every clip below a folder."""
    return list_clips(list_files(root, side_cars=SIDE_CARS), subset=SUBSET, subject=_subject_rule(subjects))


def list_clips(listing: Listing, *, subset: str, subject: Callable[[str], str]) -> Catalogue:
    """One whole-file source a file, one rejected source a refused file."""
    sources = [
        ClipSource(
            clip_id=make_clip_id(subset, name),
            source_name=name,
            path=path,
            video_id=make_clip_id(subset, name),
            subject_id=subject(name),
            subset=subset,
        )
        for name, path in listing.files.items()
    ]
    rejected = [
        RejectedSource(
            clip_id=make_clip_id(subset, name),
            kind="wild",
            source_name=name,
            subject_id=name,
            subset=subset,
            reason=refusal.reason,
            detail=refusal.detail,
        )
        for name, refusal in listing.refused.items()
    ]
    return Catalogue(sources=tuple(sources), rejected=tuple(rejected), skipped=listing.skipped)


def _subject_rule(settings: SubjectSettings) -> Callable[[str], str]:
    table: Mapping[str, str] = read_subjects(settings)
    return partial(subject_of, rule=settings.rule, table=table)
