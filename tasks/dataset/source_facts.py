"""What a build's sources are and may be used for, as far as anybody wrote it down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from model.settings import Record
from tasks.engine.clip import Clip
from tasks.report.facts import SourceFacts
from tasks.sources.scan import SourceSettings
from tasks.sources.source import RejectedSource
from tasks.stage import Json
from tasks.store.canonical import digest_of

SOURCE_CARD = "source.json"
"""A folder's own word on what it holds: {"label": ..., "synthetic": false, "licence": ...}."""


class SourceCard(Record):
    """What source.json holds."""

    label: str
    """Name in words."""
    synthetic: bool = False
    """Rendered, not filmed."""
    licence: str = "unknown"
    """Terms of use."""


def source_facts(settings: SourceSettings) -> tuple[SourceFacts, ...]:
    """One line for each folder or list that sources come from.

    Raises:
        ValueError: a source.json is not what it should be; names the file.
    """
    return tuple(_facts(label, kind, folder) for label, kind, folder in _folders(settings))


def catalogue_digest(
    clips: Sequence[Clip], rejected: Sequence[RejectedSource], subjects: Mapping[str, str]
) -> str:
    """One digest of all that was found: names, contents, intervals, subjects and refusals."""
    found: list[Json] = [
        [clip.clip_id, clip.kind, clip.video_id, subjects[clip.clip_id], clip.blobs, clip.values]
        for clip in clips
    ]
    refused: list[Json] = [
        [one.clip_id, one.source_name, one.subject_id, str(one.reason), one.detail] for one in rejected
    ]
    return digest_of([sorted(found, key=itemgetter(0)), sorted(refused, key=itemgetter(0))])


def _folders(settings: SourceSettings) -> Iterator[tuple[str, Literal["wild", "studio"], Path]]:
    for folder in settings.clips:
        yield "clips", "wild", folder
    if settings.hdtf:
        yield "HDTF", "wild", settings.hdtf.videos
    if settings.vfhq:
        yield "VFHQ", "wild", settings.vfhq.clips
    for folder in settings.studio:
        yield "studio", "studio", folder
    for folder in settings.multiface:
        yield "Multiface", "studio", folder
    if settings.facescape:
        yield "FaceScape", "studio", settings.facescape.images


def _facts(label: str, kind: Literal["wild", "studio"], folder: Path) -> SourceFacts:
    path = folder / SOURCE_CARD
    card = SourceCard(label=label)
    if path.is_file():
        try:
            card = SourceCard.model_validate_json(path.read_bytes())
        except ValidationError as invalid:
            raise ValueError(f"{path}: {invalid.errors()[0]['msg']}; see docs/sources.md") from invalid
    return SourceFacts(label=card.label, kind=kind, synthetic=card.synthetic, licence=card.licence)
