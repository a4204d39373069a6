"""Turn clips and refused sources into manifest rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from model.samples.manifest import ManifestRow
from tasks.engine.clip import Clip
from tasks.reasons import Reason
from tasks.roles import PUBLISHED
from tasks.sources.digest import digest_of_roles
from tasks.sources.source import RejectedSource, Source
from tasks.stage import Json
from tasks.store.canonical import canonical_json
from tasks.store.splits import Split

ROW_VALUES = frozenset(ManifestRow.model_fields) - {"clip_id", "kind", "status", "reason", "detail", "blobs"}


def clip_row(clip: Clip, source: Source, split: Split, *, face_model: str) -> ManifestRow:
    """Return the row of a source that went through the stages."""
    published = clip.reason is None
    figures = {name: value for name, value in clip.values.items() if name in ROW_VALUES}
    rest = {
        name: value
        for name, value in clip.values.items()
        if name not in ROW_VALUES and name not in source.values
    }
    blobs = {role: clip.blobs[role] for role in PUBLISHED if role in clip.blobs}
    # the source alone: models and outputs of stages have digests of their own
    own = {role: digest for role, digest in clip.blobs.items() if role in clip.files}
    given: dict[str, Any] = {
        **figures,
        "clip_id": clip.clip_id,
        "kind": clip.kind,
        "source_name": source.source_name,
        "source_sha256": digest_of_roles(own),
        "subject_id": source.subject_id,
        "split": split,
        "status": "published" if published else "quarantined",
        "reason": _part_reason(clip) if published else clip.reason,
        "detail": clip.values.get("lost_track", source.note or None) if published else clip.detail,
        "source_start_s": source.interval[0],
        "source_end_s": source.interval[1],
        "fps": 25.0 if published and clip.kind == "wild" else None,
        "face_model": face_model if published and clip.kind == "wild" else None,
        "qc": canonical_json(rest).decode(),
        "blobs": blobs if published else {},
    }
    return ManifestRow.model_validate(given)


def _part_reason(clip: Clip) -> Json:
    """Return why a published clip is only a part of its source; None if it is whole."""
    return Reason.LOST_TRACK if "lost_track" in clip.values else clip.values.get("part_reason")


def rejected_row(source: RejectedSource, split: Split) -> ManifestRow:
    """Return the row of a source that was refused before any stage ran."""
    return ManifestRow(
        clip_id=source.clip_id,
        kind=source.kind,
        source_name=source.source_name,
        subject_id=source.subject_id,
        split=split,
        status="quarantined",
        reason=source.reason,
        detail=source.detail,
        source_start_s=source.start_s,
        source_end_s=source.end_s,
    )


def all_rows(
    clips: Iterable[Clip],
    rejected: Iterable[RejectedSource],
    sources: Mapping[str, Source],
    splits: Mapping[str, Split],
    *,
    face_model: str,
) -> list[ManifestRow]:
    """Return one row for every source of the catalogue, sorted by clip id."""
    built = [
        clip_row(clip, sources[clip.clip_id], splits[sources[clip.clip_id].subject_id], face_model=face_model)
        for clip in clips
    ]
    refused = [rejected_row(source, splits[source.subject_id]) for source in rejected]
    return sorted([*built, *refused], key=lambda row: row.clip_id)
