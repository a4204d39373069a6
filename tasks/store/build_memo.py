"""Remember what a whole build published: an unchanged rebuild reads one record and some file sizes."""

from __future__ import annotations

from tasks.stage import Json
from tasks.store.blobs import CorruptBlob, Store
from tasks.store.canonical import digest_of, seal, unseal
from tasks.store.durable import disk_faults, place, write_temporary
from tasks.store.versions import (
    CorruptVersion,
    Published,
    checked_file,
    latest_number,
    read_entry,
    read_lock,
    read_provenance,
    version_folder,
)


def build_key(name: str, *, facts: Json) -> str:
    """Return the key of a build: the dataset name and everything the build depends on."""
    return digest_of({"name": name, "facts": facts})


def remember_build(store: Store, key: str, *, root: str) -> None:
    """Record which root a finished build published."""
    data = seal({"key": key, "root": root})
    with disk_faults(store.root, len(data)):
        place(write_temporary(store.root / "tmp", data), store.root / "builds" / f"{key}.json")


def find_build(store: Store, name: str, key: str) -> Published | None:
    """Return the version that a build would publish again, if it is the latest and whole; else None.

    The files of the version are hashed; its blobs must exist with their sizes (verify_version hashes them).
    """
    number = latest_number(store, name)
    try:
        record = unseal((store.root / "builds" / f"{key}.json").read_bytes()) or {}
        if number == 0 or record.get("key") != key:
            return None
        entry = read_entry(store, name, number=number)
        folder = version_folder(store, name, root=entry.root)
        for file_name in entry.files:
            checked_file(folder, entry, file_name)
        sizes = read_provenance(store, read_lock(store, name, number=number)).sizes
    except (FileNotFoundError, CorruptVersion, CorruptBlob):
        return None
    whole = all(store.has_blob(digest, size=size) for digest, size in sizes.items())
    if record["root"] != entry.root or not whole:
        return None
    return Published(number=number, root=entry.root, changed=False)
