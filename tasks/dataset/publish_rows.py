"""The end of a build: publish rows, lock, card and report as a version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from model.samples.manifest import ManifestRow
from tasks.dataset.recompute import SOURCES_PAGE, sources_page
from tasks.dataset.record import BuildRecord
from tasks.dataset.timings import rejecting_stages, stage_timings
from tasks.engine.clip import Clip
from tasks.report.artifacts import publish_artifacts
from tasks.report.card import build_card
from tasks.report.facts import BuildFacts, VersionChange
from tasks.report.notices import build_notices
from tasks.report.report import build_report
from tasks.store.blobs import Store
from tasks.store.publish import publish
from tasks.store.rows import merkle_root
from tasks.store.splits import Split
from tasks.store.versions import CorruptVersion, LockFacts, Published, read_version


def publish_rows(
    store: Store,
    record: BuildRecord,
    *,
    rows: Sequence[ManifestRow],
    clips: Sequence[Clip],
    splits: Mapping[str, Split],
    opened: Sequence[Clip],
    report_clips: int,
    workers: int,
    base: int,
) -> Published:
    """Publish the rows as the version after `base`, unless the latest version has the same rows."""
    facts = _facts(store, record, rows, clips, base=base)
    publish_artifacts(rows, facts)
    files = {clip.clip_id: _files(clip, store) for clip in clips if not clip.reason}
    return publish(
        store,
        record.name,
        rows=rows,
        facts=LockFacts(
            settings=record.settings,
            catalogue=record.catalogue,
            models=record.models,
            recipes=record.recipes,
            splits=dict(splits),
            notices=tuple(str(notice) for notice in build_notices(rows, facts)),
        ),
        actions={clip.clip_id: [(step.stage, step.key) for step in clip.steps] for clip in clips},
        pages={
            SOURCES_PAGE: sources_page(opened),
            "card.md": build_card(rows, facts).encode(),
            "report.html": build_report(
                rows, facts, files.__getitem__, max_clips=report_clips, workers=workers
            ),
        },
        base=base,
    )


def _facts(
    store: Store, record: BuildRecord, rows: Sequence[ManifestRow], clips: Sequence[Clip], *, base: int
) -> BuildFacts:
    return BuildFacts(
        name=record.name,
        root=merkle_root(rows),
        number=base + 1,
        change=_change(store, record.name, rows, base=base),
        sources=record.sources,
        settings=record.settings,
        tools=record.tools,
        licences=record.licences,
        rejected_at=rejecting_stages(clips),
        timings=stage_timings(clips),
    )


def _change(store: Store, name: str, rows: Sequence[ManifestRow], *, base: int) -> VersionChange | None:
    if base == 0:
        return None
    try:
        previous = read_version(store, name, number=base)
    except CorruptVersion:  # this very build restores it
        return None
    old, new = ({row.clip_id: row for row in some} for some in (previous.rows, rows))
    both = old.keys() & new.keys()
    changed = sum(old[clip_id] != new[clip_id] for clip_id in both)
    return VersionChange(
        previous_root=previous.root,
        previous_number=base,
        added=len(new.keys() - old.keys()),
        removed=len(old.keys() - new.keys()),
        changed=changed,
        unchanged=len(both) - changed,
    )


def _files(clip: Clip, store: Store) -> Mapping[str, Path]:
    return {role: store.blob_path(digest) for role, digest in clip.blobs.items() if role not in clip.files}
