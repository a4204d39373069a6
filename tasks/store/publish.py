"""Publish a version: first the immutable parts, then one list entry, whose file must not exist before."""

from __future__ import annotations

import errno
import json
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from model.samples.manifest import ManifestRow
from tasks.store.blobs import Blob, CorruptBlob, Store, file_digest
from tasks.store.canonical import canonical_json, seal
from tasks.store.durable import (
    StoreError,
    disk_faults,
    make_folder,
    place_new,
    sync_file,
    sync_folder,
    write_temporary,
)
from tasks.store.rows import manifest_bytes, merkle_root, read_manifest
from tasks.store.versions import (
    LOCK,
    MANIFEST,
    QUARANTINED,
    CorruptVersion,
    Lock,
    LockFacts,
    Provenance,
    Published,
    VersionEntry,
    checked_file,
    dataset_folder,
    entry_path,
    latest_number,
    parse_lock,
    read_entry,
    version_folder,
    version_numbers,
)

Actions = Mapping[str, Sequence[tuple[str, str]]]
"""Stage and action key of each stage that ran, in order, by clip id."""


class BaseMoved(StoreError):  # noqa: N818  # names what happened
    """Another version was published after this build began."""


def publish(
    store: Store,
    name: str,
    *,
    rows: Sequence[ManifestRow],
    facts: LockFacts,
    actions: Actions,
    pages: Mapping[str, bytes],
    base: int,
) -> Published:
    """Publish rows as the version after `base`.

    Args:
        store: store that holds every blob that the rows name.
        name: name of the dataset.
        rows: a row for each source.
        facts: content of dataset.lock.json.
        actions: stages of each clip.
        pages: card.md and report.html; not part of the root.
        base: latest number at the time when the build began (latest_number), 0 for none.

    Raises:
        BaseMoved: another root was published in the meantime.
        CorruptBlob: a blob that a row names is missing.
    """
    root = merkle_root(rows)
    sizes = _blob_sizes(store, rows)
    # a damaged latest version has no readable head: it is published again, which restores it
    head = _readable_head(store, name)
    if head and head.root == root and _matches(store, name, head):
        return Published(number=head.number, root=root, changed=False)
    if latest_number(store, name) != base:
        raise _moved(store, name, base)
    # from here on everything is written before what names it: provenance, folder, then the entry
    provenance = store.put_bytes(_provenance_bytes(actions, sizes))
    lock = Lock(**dict(facts), name=name, root=root, counts=_counts(rows), provenance=provenance.sha256)
    files = {MANIFEST: manifest_bytes(rows), LOCK: _lock_bytes(lock), **pages}
    with disk_faults(store.root, sum(map(len, files.values()))):
        make_folder(dataset_folder(store, name) / "versions")
        folder = _place_folder(store, name, root=root, files=files)
        if head and head.root == root and _matches(store, name, head):
            return Published(number=head.number, root=root, changed=False)
        return _append(store, name, number=base + 1, root=root, folder=folder)


def _append(store: Store, name: str, *, number: int, root: str, folder: Path) -> Published:
    held = {
        path.name: Blob(sha256=file_digest(path), bytes=path.stat().st_size)
        for path in sorted(folder.iterdir())
    }
    entry = VersionEntry(number=number, root=root, files=held)
    temporary = write_temporary(store.root / "tmp", seal(entry.model_dump(mode="json")))
    try:
        # a link fails if the number is taken, so of two publishers exactly one succeeds
        place_new(temporary, entry_path(store, name, number=number))
    except FileExistsError:
        head = _readable_head(store, name)
        if head is None or head.root != root:
            raise _moved(store, name, number - 1) from None
        return Published(number=head.number, root=root, changed=False)
    return Published(number=number, root=root, changed=True)


def _place_folder(store: Store, name: str, *, root: str, files: Mapping[str, bytes]) -> Path:
    """Return the complete folder of the version: one that a killed build left, or a new one."""
    target = version_folder(store, name, root=root)
    listed = _listed(store, name, root)
    if _matches(store, name, listed) if listed else _is_whole(store, target, root):
        return target
    if target.exists():
        # never deleted: somebody may still read it, or want to see what was damaged
        target.rename(store.root / "quarantine" / f"{name}-{target.name}-{secrets.token_hex(4)}")
    with store.scratch() as scratch:
        folder = scratch / target.name
        folder.mkdir()
        for file_name, data in files.items():
            (folder / file_name).write_bytes(data)
            sync_file(folder / file_name)
        sync_folder(folder)
        _rename_unless_there(folder, target)
    sync_folder(target.parent)
    # read back what the disk holds: a rename over a failing disk can lose data without an error
    if not _is_whole(store, target, root):
        raise StoreError(f"{target} does not read back to the root {root}; nothing was published")
    return target


def _rename_unless_there(folder: Path, target: Path) -> None:
    try:
        folder.rename(target)
    except OSError as fault:
        # Another publisher of the same root was faster: its folder is as whole as ours.
        if fault.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise


def _is_whole(store: Store, folder: Path, root: str) -> bool:
    """Whether a folder without an entry holds the rows of this root and a lock with stored provenance."""
    try:
        lock = parse_lock((folder / LOCK).read_bytes())
        rows = read_manifest((folder / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return False
    return lock.root == root == merkle_root(rows) and store.blob_path(lock.provenance).is_file()


def _matches(store: Store, name: str, entry: VersionEntry) -> bool:
    """Whether the folder of a version matches its entry, and its provenance is stored."""
    folder = version_folder(store, name, root=entry.root)
    try:
        lock = parse_lock(checked_file(folder, entry, LOCK).read_bytes())
        for file_name in entry.files:
            checked_file(folder, entry, file_name)
    except CorruptVersion:
        return False
    return store.blob_path(lock.provenance).is_file()


def _listed(store: Store, name: str, root: str) -> VersionEntry | None:
    """Return the newest entry with this root."""
    for number in reversed(version_numbers(store, name)):
        with suppress(CorruptVersion):
            entry = read_entry(store, name, number=number)
            if entry.root == root:
                return entry
    return None


def _readable_head(store: Store, name: str) -> VersionEntry | None:
    number = latest_number(store, name)
    try:
        return read_entry(store, name, number=number) if number else None
    except CorruptVersion:
        return None


def _moved(store: Store, name: str, base: int) -> BaseMoved:
    return BaseMoved(
        f"dataset {name}: version {latest_number(store, name)} was published while this build ran, which "
        f"began at version {base}; run it again: all finished work is kept"
    )


def _blob_sizes(store: Store, rows: Sequence[ManifestRow]) -> dict[str, int]:
    sizes = {}
    for row in rows:
        for role, digest in row.blobs.items():
            try:
                sizes[digest] = store.blob_path(digest).stat().st_size
            except FileNotFoundError:
                raise CorruptBlob(digest, f"({role} of clip {row.clip_id}) is missing") from None
    return sizes


def _provenance_bytes(actions: Actions, sizes: Mapping[str, int]) -> bytes:
    provenance = Provenance(
        actions={clip_id: tuple(steps) for clip_id, steps in actions.items()}, sizes=dict(sizes)
    )
    return canonical_json(provenance.model_dump(mode="json"))


def _lock_bytes(lock: Lock) -> bytes:
    return (
        json.dumps(lock.model_dump(mode="json"), sort_keys=True, indent=2, allow_nan=False).encode() + b"\n"
    )


def _counts(rows: Sequence[ManifestRow]) -> dict[str, int]:
    statuses = Counter[str](row.status for row in rows)
    reasons = Counter(f"{QUARANTINED}{row.reason}" for row in rows if row.status == "quarantined")
    return {"rows": len(rows), **statuses, **reasons}
