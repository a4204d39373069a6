"""Garbage collection: remove everything that no published version reaches.

A version reaches its folder, the blobs that its rows name, its provenance, the actions in it, and the outputs
of these actions, so that a rebuild finds its intermediate files. The finished work of an interrupted build is
not reached; collecting it costs that build its progress.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from model.settings import Record
from tasks.store.actions import read_action
from tasks.store.blobs import Store
from tasks.store.canonical import unseal
from tasks.store.locks import clear_temporary, sole_lock
from tasks.store.versions import (
    dataset_folder,
    dataset_names,
    read_entry,
    read_lock,
    read_provenance,
    read_rows,
    version_folder,
    version_numbers,
)


class Collected(Record):
    """What was removed, or would be removed in a dry run."""

    dry_run: bool
    blobs: int
    blob_bytes: int
    actions: int
    builds: int
    """Memos of builds whose version no longer exists."""
    folders: int
    """Version folders that a killed build left without an entry."""


@dataclass(slots=True, kw_only=True)
class Reached:
    """Files and records that the versions of a store need."""

    blobs: set[str] = field(default_factory=set)
    actions: set[str] = field(default_factory=set)
    roots: set[str] = field(default_factory=set)
    folders: set[Path] = field(default_factory=set)


def collect(store: Store, *, dry_run: bool = False) -> Collected:
    """Remove everything that no version reaches; raise StoreBusy while a build runs.

    A damaged version stops the collection (CorruptVersion, CorruptBlob) before anything is removed, because
    it is not known what that version reaches. A kill leaves a sound store: records go before the files they
    name.
    """
    with sole_lock(store):
        reached = find_reached(store)
        folders = [path for path in _version_folders(store) if path not in reached.folders]
        builds = [path for path in (store.root / "builds").iterdir() if _root_of(path) not in reached.roots]
        actions = [path for path in (store.root / "actions").iterdir() if path.stem not in reached.actions]
        blobs = [path for path in (store.root / "cas").glob("??/*") if path.name not in reached.blobs]
        collected = Collected(
            dry_run=dry_run,
            blobs=len(blobs),
            blob_bytes=sum(path.stat().st_size for path in blobs),
            actions=len(actions),
            builds=len(builds),
            folders=len(folders),
        )
        if not dry_run:
            for folder in folders:
                shutil.rmtree(folder)
            # records before blobs: a kill in between leaves blobs without a record, never the reverse
            for path in [*builds, *actions, *blobs]:
                path.unlink()
            clear_temporary(store)
        return collected


def find_reached(store: Store) -> Reached:
    """Walk all versions of all datasets."""
    reached = Reached()
    for name in dataset_names(store):
        for number in version_numbers(store, name):
            _reach_version(store, name, number, reached)
    return reached


def _reach_version(store: Store, name: str, number: int, reached: Reached) -> None:
    entry = read_entry(store, name, number=number)
    lock = read_lock(store, name, number=number)
    rows = read_rows(store, name, number=number)
    provenance = read_provenance(store, lock)
    keys = {key for steps in provenance.actions.values() for _, key in steps}
    reached.roots.add(entry.root)
    reached.folders.add(version_folder(store, name, root=entry.root))
    # intermediate files too, so that the next build finds them
    reached.blobs |= {lock.provenance, *lock.models.values(), *provenance.sizes}
    reached.blobs |= {digest for row in rows for digest in row.blobs.values()}
    for key in keys - reached.actions:
        action = read_action(store, key)
        if action is not None:
            reached.blobs |= {blob.sha256 for blob in action.outputs.values()}
    reached.actions |= keys


def _version_folders(store: Store) -> Iterator[Path]:
    for name in dataset_names(store):
        yield from (path for path in dataset_folder(store, name).iterdir() if path.name != "versions")


def _root_of(path: Path) -> str | None:
    record = unseal(path.read_bytes())
    return None if record is None else record.get("root")
