"""What the sources of a build are and how they may be used, from the source.json of each folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter

from pydantic import ValidationError

from model.settings import Record
from tasks.engine.clip import Clip
from tasks.report.facts import SourceFacts
from tasks.sources.scan import SourceSettings, source_sets
from tasks.sources.source import RejectedSource
from tasks.sources.source_set import SourceSet
from tasks.stage import Json
from tasks.store.canonical import digest_of

SOURCE_CARD = "source.json"
"""File in a source folder that states what it holds: {"label": ..., "synthetic": false, "licence": ...}."""


class SourceCard(Record):
    """Content of a source.json (docs/formats/clips.md)."""

    label: str
    """Name of the data set, as the report shows it."""
    synthetic: bool = False
    """True if the pictures are rendered, not filmed."""
    licence: str = "unknown"
    """Licence or terms of use."""


def source_facts(settings: SourceSettings) -> tuple[SourceFacts, ...]:
    """One entry for each data set or folder that the build reads.

    Raises:
        ValueError: a source.json does not hold a SourceCard; the message names the file.
    """
    return tuple(_facts(source_set) for source_set in source_sets(settings))


def catalogue_digest(
    clips: Sequence[Clip], rejected: Sequence[RejectedSource], subjects: Mapping[str, str]
) -> str:
    """One digest of everything that a scan found: names, contents, intervals, subjects and refusals."""
    found: list[Json] = [
        [clip.clip_id, clip.kind, clip.video_id, subjects[clip.clip_id], clip.blobs, clip.values]
        for clip in clips
    ]
    refused: list[Json] = [
        [one.clip_id, one.source_name, one.subject_id, str(one.reason), one.detail] for one in rejected
    ]
    return digest_of([sorted(found, key=itemgetter(0)), sorted(refused, key=itemgetter(0))])


def _facts(source_set: SourceSet) -> SourceFacts:
    path = source_set.folder / SOURCE_CARD
    card = SourceCard(label=source_set.label)
    if path.is_file():
        try:
            card = SourceCard.model_validate_json(path.read_bytes())
        except ValidationError as invalid:
            raise ValueError(
                f"{path}: {invalid.errors()[0]['msg']}; docs/formats/clips.md shows what the file may hold"
            ) from invalid
    return SourceFacts(label=card.label, kind=source_set.kind, synthetic=card.synthetic, licence=card.licence)
