"""Dataset versions, the reading side: an append-only list of numbers, each naming an immutable folder.

datasets/<name>/versions/000001.json names a root and the digests of the files in datasets/<name>/<root12>/.
A version exists if and only if its entry does. The order is the number's; no clock is read.
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
"""Fewest digits by which a root may be named."""
QUARANTINED = "quarantined: "
"""Before the reason, in Lock.counts."""
MANIFEST, LOCK = "manifest.parquet", "dataset.lock.json"


class VersionNotFound(StoreError):  # noqa: N818  # names what was asked for
    """The store has no such dataset or version."""


class CorruptVersion(StoreError):  # noqa: N818
    """A file of a published version is missing or changed."""


class LockFacts(Record):
    """What a build says about itself: everything needed to build the version again."""

    settings: dict[str, Json]
    """All settings of the build that change its rows."""
    catalogue: str
    """Digest of the list of sources."""
    models: dict[str, str]
    """Role -> sha256 of the files that all clips share ("face_model" ...)."""
    recipes: dict[str, Recipe]
    """Recipe.digest -> stage version, module digests, settings and tools of every stage used."""
    splits: dict[str, Literal["train", "val", "test"]]
    """Subject -> split, of this version and all before it."""
    notices: tuple[str, ...] = ()
    """What is untrained, synthetic or estimated, in sentences: what is trained on it says so too."""


class Lock(LockFacts):
    """dataset.lock.json."""

    name: str
    root: str
    counts: dict[str, int]
    """Rows by status, and quarantined rows by reason."""
    provenance: str
    """Digest of the blob that holds the Provenance."""

    @property
    def facts(self) -> LockFacts:
        """The lock without what publishing added."""
        return LockFacts.model_validate({name: getattr(self, name) for name in LockFacts.model_fields})


class Provenance(Record):
    """How every clip of a version came about; too large for the lock file."""

    actions: dict[str, tuple[tuple[str, str], ...]]
    """Clip id -> (stage, action key) in the order they ran."""
    sizes: dict[str, int]
    """sha256 -> bytes of every blob that a row names."""


class VersionEntry(Record):
    """One line of a dataset's list of versions."""

    number: int
    root: str
    files: dict[str, Blob]
    """File name -> size and digest of what is in the version's folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """The outcome of a publication."""

    number: int
    root: str
    changed: bool
    """False: the latest version has this root already and nothing was published."""


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
    """Where a dataset's versions are."""
    if not NAME.fullmatch(name):
        raise ValueError(f"dataset name {name!r}: use up to 64 letters, digits, '.', '_' and '-'")
    return store.root / "datasets" / name


def dataset_names(store: Store) -> list[str]:
    """All datasets of the store."""
    return sorted(folder.name for folder in (store.root / "datasets").iterdir())


def version_numbers(store: Store, name: str) -> list[int]:
    """The published numbers, ascending."""
    entries = (dataset_folder(store, name) / "versions").glob("[0-9]*.json")
    return sorted(int(entry.stem) for entry in entries if entry.stem.isdecimal())


def latest_number(store: Store, name: str) -> int:
    """The newest version's number; 0 where nothing is published."""
    return max(version_numbers(store, name), default=0)


def find_number(store: Store, name: str, *, version: str | None = None) -> int:
    """The number that a person means by "3", by the start of a root (4 digits or more), or by nothing."""
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
    """A line of the list of versions."""
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
    """The file whose existence publishes a version."""
    return dataset_folder(store, name) / "versions" / f"{number:06d}.json"


def version_folder(store: Store, name: str, *, root: str) -> Path:
    """Where the files of the version with this root are."""
    return dataset_folder(store, name) / root[:12]


def read_version(store: Store, name: str, *, number: int | None = None) -> Version:
    """A version, the latest unless a number is given; its files are checked against their digests."""
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
    """A version's rows alone, sorted by clip id."""
    entry = read_entry(store, name, number=number)
    folder = version_folder(store, name, root=entry.root)
    # here and not above: a build with nothing to do asks for no rows and loads no pyarrow
    from tasks.store.rows import read_manifest

    return read_manifest(checked_file(folder, entry, MANIFEST).read_bytes())


def read_lock(store: Store, name: str, *, number: int) -> Lock:
    """A version's dataset.lock.json alone."""
    entry = read_entry(store, name, number=number)
    folder = version_folder(store, name, root=entry.root)
    return parse_lock(checked_file(folder, entry, LOCK).read_bytes())


def parse_lock(text: bytes) -> Lock:
    """The content of a dataset.lock.json."""
    # json reads the escapes of file names that are no UTF-8; pydantic's own parser refuses them
    return Lock.model_validate(json.loads(text))


def checked_file(folder: Path, entry: VersionEntry, file_name: str) -> Path:
    """A file of a version after its content was hashed again, or CorruptVersion."""
    path = folder / file_name
    found = file_digest(path) if path.is_file() else "no file"
    if found != entry.files[file_name].sha256:
        raise CorruptVersion(f"{path} is damaged ({found}); build again to restore version {entry.number}")
    return path


def read_provenance(store: Store, lock: Lock) -> Provenance:
    """How the clips of a version came about."""
    return Provenance.model_validate(json.loads(store.checked_blob(lock.provenance).read_bytes()))


def _root(store: Store, name: str, number: int) -> str:
    try:
        return read_entry(store, name, number=number).root
    except CorruptVersion:
        return ""
