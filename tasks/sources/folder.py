"""A folder of clips: every file below it is a source, unless it is hidden, a side-car or ground truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

from tasks.sources.source import Catalogue, ClipKind, ClipSource, RejectedSource, make_clip_id
from tasks.sources.subjects import SubjectSettings, read_subjects, subject_of
from tasks.sources.walk_files import Listing, list_files

SUBSET = "clips"
SIDE_CARS = (".csv", ".json", ".md", ".npy", ".npz", ".txt")
"""Suffixes of files that accompany clips, such as notes, labels and transcripts. Every other file is a
source: a sound file or a picture among the clips ends as a row with its reason instead of vanishing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipFolder:
    """A folder of talking-head clips; see docs/formats/clips.md."""

    label: ClassVar[str] = "clips"
    kind: ClassVar[ClipKind] = "wild"

    folder: Path
    subjects: SubjectSettings
    """Rule that groups the clips by person."""

    def scan(self) -> Catalogue:
        """Every clip below the folder.

        Raises:
            ValueError: the folder is missing, or the table of subjects is wrong.
        """
        listing = list_files(self.folder, side_cars=SIDE_CARS)
        subject = partial(subject_of, rule=self.subjects.rule, table=read_subjects(self.subjects))
        return _catalogue(listing, subject)


def _catalogue(listing: Listing, subject: Callable[[str], str]) -> Catalogue:
    """One whole-file source for each file, one rejected source for each refused file."""
    sources = [
        ClipSource(
            clip_id=make_clip_id(SUBSET, name),
            source_name=name,
            path=path,
            video_id=make_clip_id(SUBSET, name),
            subject_id=subject(name),
            subset=SUBSET,
        )
        for name, path in listing.files.items()
    ]
    rejected = [
        RejectedSource(
            clip_id=make_clip_id(SUBSET, name),
            kind="wild",
            source_name=name,
            subject_id=name,
            subset=SUBSET,
            reason=refusal.reason,
            detail=refusal.detail,
        )
        for name, refusal in listing.refused.items()
    ]
    return Catalogue.of([*sources, *rejected], skipped=listing.skipped)
