"""Read dataset versions: an append-only list of numbers, each of which names an immutable folder.

datasets/<name>/versions/000001.json names a root and the digests of the files in datasets/<name>/<root12>/.
A version exists if and only if its entry exists. Versions are ordered by number; no clock is read.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from model.samples.manifest import ManifestRow
from model.settings import Record
from tasks.stage import Json
from tasks.store.blobs import Blob, Store, file_digest
from tasks.store.canonical import unseal
from tasks.store.durable import StoreError
from tasks.store.recipes import Recipe

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
ROOT_DIGITS = 4
"""Fewest digits that may stand for a root."""
QUARANTINED = "quarantined: "
"""Prefix of the reasons in Lock.counts."""
MANIFEST, LOCK = "manifest.parquet", "dataset.lock.json"


class VersionNotFound(StoreError):  # noqa: N818  # names what was asked for
    """The store has no such dataset or version."""


class CorruptVersion(StoreError):  # noqa: N818
    """A file of a published version is missing or changed."""


class LockFacts(Record):
    """Facts of a build: everything that is needed to build the version again."""

    settings: dict[str, Json]
    """Settings of the build that the rows depend on."""
    catalogue: str
    """Digest of the list of sources."""
    models: dict[str, str]
    """sha256 by role of the files that all clips share ("face_model" ...)."""
    recipes: dict[str, Recipe]
    """Recipe of every stage that was used (version, modules, settings, tools), by Recipe.digest."""
    splits: dict[str, Literal["train", "val", "test"]]
    """Split by subject, for this version and all versions before it."""
    notices: tuple[str, ...] = ()
    """What is untrained, synthetic or estimated, in sentences; models trained on the version repeat them."""


class Lock(LockFacts):
    """Content of dataset.lock.json."""

    name: str
    root: str
    counts: dict[str, int]
    """Number of rows by status, and of quarantined rows by reason."""
    provenance: str
    """Digest of the blob that holds the Provenance."""

    @property
    def facts(self) -> LockFacts:
        """The facts of the lock, without the fields that publishing added."""
        return LockFacts.model_validate({name: getattr(self, name) for name in LockFacts.model_fields})


class Provenance(Record):
    """Stages of every clip of a version; too large for the lock file."""

    actions: dict[str, tuple[tuple[str, str], ...]]
    """Stage and action key of each stage that ran, in order, by clip id."""
    sizes: dict[str, int]
    """Size by sha256 of every blob that a row names."""


class VersionEntry(Record):
    """Entry in the list of versions of a dataset."""

    number: int
    root: str
    files: dict[str, Blob]
    """Size and digest by name of the files in the folder of the version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """Outcome of publishing."""

    number: int
    root: str
    changed: bool
    """False if the latest version already has this root, so that nothing was published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A published version."""

    name: str
    number: int
    root: str
    folder: Path
    lock: Lock
    rows: list[ManifestRow]


def dataset_folder(store: Store, name: str) -> Path:
    """Return the folder of the versions of a dataset."""
    if not NAME.fullmatch(name):
        raise ValueError(f"dataset name {name!r}: use up to 64 letters, digits, '.', '_' and '-'")
    return store.root / "datasets" / name


def dataset_names(store: Store) -> list[str]:
    """Return the names of all datasets of the store."""
    return sorted(folder.name for folder in (store.root / "datasets").iterdir())


def version_numbers(store: Store, name: str) -> list[int]:
    """Return the published numbers, ascending."""
    entries = (dataset_folder(store, name) / "versions").glob("[0-9]*.json")
    return sorted(int(entry.stem) for entry in entries if entry.stem.isdecimal())


def latest_number(store: Store, name: str) -> int:
    """Return the number of the newest version; 0 if nothing is published."""
    return max(version_numbers(store, name), default=0)


def find_number(store: Store, name: str, *, version: str | None = None) -> int:
    """Find the number meant by "3", by the start of a root (4 digits or more), or by None (latest)."""
    numbers = version_numbers(store, name)
    if version is None:
        found = numbers[-1:]
    elif version.isdecimal() and int(version) in numbers:
        found = [int(version)]
    elif len(version) >= ROOT_DIGITS:
        found = [number for number in numbers if _root(store, name, number).startswith(version)]
    else:
        found = []
    if not found:
        raise VersionNotFound(
            f"store {store.root} has no version {version or 'at all'} of dataset {name!r}; "
            f"it has the numbers {numbers or 'none'}"
        )
    return found[-1]


def read_entry(store: Store, name: str, *, number: int) -> VersionEntry:
    """Read an entry of the list of versions."""
    path = entry_path(store, name, number=number)
    if not path.exists():
        raise VersionNotFound(f"store {store.root} has no version {number} of dataset {name!r}")
    try:
        entry = VersionEntry.model_validate(unseal(path.read_bytes()))
    except ValidationError:
        entry = None
    if entry is None or entry.number != number:
        raise CorruptVersion(f"{path} is damaged; delete it and build again to publish the version anew")
    return entry


def entry_path(store: Store, name: str, *, number: int) -> Path:
    """Return the path of the file whose existence publishes a version."""
    return dataset_folder(store, name) / "versions" / f"{number:06d}.json"


def version_folder(store: Store, name: str, *, root: str) -> Path:
    """Return the folder of the version with this root."""
    return dataset_folder(store, name) / root[:12]


def read_version(store: Store, name: str, *, number: int | None = None) -> Version:
    """Read a version (default: the latest) and check its files against their digests."""
    number = find_number(store, name) if number is None else number
    entry = read_entry(store, name, number=number)
    folder = version_folder(store, name, root=entry.root)
    return Version(
        name=name,
        number=number,
        root=entry.root,
        folder=folder,
        lock=read_lock(store, name, number=number),
        rows=read_rows(store, name, number=number),
    )


def read_rows(store: Store, name: str, *, number: int) -> list[ManifestRow]:
    """Read only the rows of a version, sorted by clip id."""
    entry = read_entry(store, name, number=number)
    folder = version_folder(store, name, root=entry.root)
    # here and not above: a build with nothing to do asks for no rows and loads no pyarrow
    from tasks.store.rows import read_manifest

    return read_manifest(checked_file(folder, entry, MANIFEST).read_bytes())


def read_lock(store: Store, name: str, *, number: int) -> Lock:
    """Read only the dataset.lock.json of a version."""
    entry = read_entry(store, name, number=number)
    folder = version_folder(store, name, root=entry.root)
    return parse_lock(checked_file(folder, entry, LOCK).read_bytes())


def parse_lock(text: bytes) -> Lock:
    """Parse the content of a dataset.lock.json."""
    # json reads the escapes of file names that are no UTF-8; pydantic's own parser refuses them
    return Lock.model_validate(json.loads(text))


def checked_file(folder: Path, entry: VersionEntry, file_name: str) -> Path:
    """Hash a file of a version again and return its content; raise CorruptVersion if it differs."""
    path = folder / file_name
    found = file_digest(path) if path.is_file() else "no file"
    if found != entry.files[file_name].sha256:
        raise CorruptVersion(f"{path} is damaged ({found}); build again to restore version {entry.number}")
    return path


def read_provenance(store: Store, lock: Lock) -> Provenance:
    """Read the stages of the clips of a version."""
    return Provenance.model_validate(json.loads(store.checked_blob(lock.provenance).read_bytes()))


def _root(store: Store, name: str, number: int) -> str:
    try:
        return read_entry(store, name, number=number).root
    except CorruptVersion:
        return ""
