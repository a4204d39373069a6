"""Compare two versions clip by clip: what changed, and why."""

from __future__ import annotations

import json
from collections import Counter

from model.samples.manifest import ManifestRow
from model.settings import Record
from tasks.stage import Json
from tasks.store.blobs import Store
from tasks.store.explain import Cause, History, explain
from tasks.store.versions import Provenance, Version, read_provenance

CATALOGUE_FIELDS = frozenset({"kind", "source_name", "subject_id", "split", "source_start_s", "source_end_s"})
"""Fields of a row that come from the list of sources or the split, not from a stage."""


class Change(Record):
    """A field of a row, and its old and new value."""

    field: str
    old: Json
    new: Json


class ChangedClip(Record):
    """A clip that both versions have with different rows."""

    clip_id: str
    source_name: str
    changes: tuple[Change, ...]
    """Every field that differs. Files and quality figures are listed as "blobs.<role>" and "qc.<figure>"."""
    causes: tuple[Cause, ...]


class VersionDiff(Record):
    """Difference between an old and a new version."""

    name: str
    old: int
    new: int
    added: tuple[str, ...]
    """Ids of the added clips, sorted."""
    removed: tuple[str, ...]
    changed: tuple[ChangedClip, ...]


def diff_versions(store: Store, *, old: Version, new: Version) -> VersionDiff:
    """Compare two versions of one store."""
    was = {row.clip_id: row for row in old.rows}
    now = {row.clip_id: row for row in new.rows}
    old_provenance, new_provenance = (read_provenance(store, version.lock) for version in (old, new))
    changed = []
    for clip_id in sorted(was.keys() & now.keys()):
        changes = row_changes(was[clip_id], now[clip_id])
        if changes:
            histories = [
                _history(store, version, provenance, clip_id)
                for version, provenance in ((old, old_provenance), (new, new_provenance))
            ]
            changed.append(
                ChangedClip(
                    clip_id=clip_id,
                    source_name=now[clip_id].source_name,
                    changes=tuple(changes),
                    causes=tuple(_causes(changes, *histories)),
                )
            )
    return VersionDiff(
        name=new.name,
        old=old.number,
        new=new.number,
        added=tuple(sorted(now.keys() - was.keys())),
        removed=tuple(sorted(was.keys() - now.keys())),
        changed=tuple(changed),
    )


def count_causes(diff: VersionDiff) -> dict[str, int]:
    """Count clips by cause, most frequent first: {"setting crop.scale: 1.6 -> 1.8": 7}."""
    told = Counter(
        f"{cause.kind} {cause.stage}: {cause.name}: {cause.old} -> {cause.new}"
        for clip in diff.changed
        for cause in clip.causes
    )
    return dict(sorted(told.items(), key=lambda item: (-item[1], item[0])))


def row_changes(was: ManifestRow, now: ManifestRow) -> list[Change]:
    """Return the fields that differ."""
    before, after = _flat_row(was), _flat_row(now)
    return [
        Change(field=field, old=before.get(field), new=after.get(field))
        for field in sorted({*before, *after})
        if before.get(field) != after.get(field)
    ]


def _causes(changes: list[Change], old: History, new: History) -> list[Cause]:
    # A source refused before any stage ran (duplicate ...) has no history: its reason is the cause.
    from_catalogue = CATALOGUE_FIELDS if old.steps and new.steps else CATALOGUE_FIELDS | {"reason"}
    listed = [
        Cause(kind="input", stage="catalogue", name=change.field, old=change.old, new=change.new)
        for change in changes
        if change.field in from_catalogue
    ]
    found = [*listed, *explain(old, new)]
    return found or [Cause(kind="unknown", stage="publish", name="no stage and no source changed")]


def _history(store: Store, version: Version, provenance: Provenance, clip_id: str) -> History:
    return History(
        store=store,
        steps=provenance.actions.get(clip_id, ()),
        recipes=version.lock.recipes,
        models=version.lock.models,
    )


def _flat_row(row: ManifestRow) -> dict[str, Json]:
    fields = row.model_dump(mode="json", exclude_none=True, exclude={"blobs", "qc"})
    figures = json.loads(row.qc) if row.qc else {}
    return {
        **fields,
        **{f"blobs.{role}": digest for role, digest in row.blobs.items()},
        **{f"qc.{name}": figure for name, figure in figures.items()},
    }
