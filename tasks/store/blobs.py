"""Blobs: files named by the sha256 of their content, written once and never changed."""

from __future__ import annotations

import errno
import hashlib
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tasks.store.canonical import seal, unseal
from tasks.store.durable import (
    StoreError,
    disk_faults,
    make_folder,
    place,
    sync_file,
    sync_folder,
    write_temporary,
)

FORMAT = 1
"""Number of the layout of a store; a store with another number is refused."""
DIGEST = re.compile(r"[0-9a-f]{64}")


class CorruptBlob(StoreError):  # noqa: N818  # names what was found
    """A blob is missing, or its content does not match its name."""

    def __init__(self, digest: str, detail: str) -> None:
        super().__init__(f"blob {digest} {detail}; build again: its stage is then recomputed")
        self.digest = digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A stored file."""

    sha256: str
    bytes: int


class Store:
    """A folder of blobs, action records and dataset versions; safe to share between processes."""

    def __init__(self, root: Path) -> None:
        """Open the store in `root`; use `Store.create` to make one."""
        self.root = root.resolve()
        marker = self.root / "store.json"
        if not marker.is_file():
            raise StoreError(f"{self.root} is not a store: it has no store.json; build-dataset creates one")
        if unseal(marker.read_bytes()) != {"format": FORMAT}:
            raise StoreError(f"{marker}: damaged, or not format {FORMAT}; this program cannot use the store")

    @classmethod
    def create(cls, root: Path) -> Store:
        """Open the store in `root` and make it first if there is none."""
        root = root.resolve()
        if not (root / "store.json").is_file():
            make_folder(root)
            with disk_faults(root, 0):
                for name in ("tmp", "actions", "builds", "datasets", "quarantine", "cas"):
                    make_folder(root / name)
                # The marker is last: a folder that has it has all the others. It may be gone from tmp/ where
                # another builder was faster and its build has cleared that folder since.
                with suppress(FileNotFoundError):
                    place(write_temporary(root / "tmp", seal({"format": FORMAT})), root / "store.json")
        return cls(root)

    def blob_path(self, digest: str) -> Path:
        """Return the path of a blob, whether or not it exists."""
        if not DIGEST.fullmatch(digest):
            raise ValueError(f"{digest!r} is not a sha256 in lower-case hex")
        return self.root / "cas" / digest[:2] / digest

    def has_blob(self, digest: str, *, size: int) -> bool:
        """Whether the blob exists with that many bytes; its content is not read."""
        try:
            return self.blob_path(digest).stat().st_size == size
        except OSError:
            return False

    def put_file(self, path: Path, *, move: bool = True) -> Blob:
        """Put a file into the store; with `move` the original is removed.

        A blob that exists already is replaced by the same content, which heals a damaged one.
        """
        size = path.stat().st_size
        with disk_faults(self.root, size), self.scratch() as scratch:
            held = scratch / "blob"
            if move:
                _move(path, held)
            else:
                shutil.copyfile(path, held)
            return self._place(held)

    def put_bytes(self, data: bytes) -> Blob:
        """Put bytes into the store."""
        with disk_faults(self.root, len(data)), self.scratch() as scratch:
            return self._place(write_temporary(scratch, data))

    def _place(self, held: Path) -> Blob:
        digest = file_digest(held)
        held.chmod(0o444)
        sync_file(held)
        size = held.stat().st_size
        path = self.blob_path(digest)
        path.parent.mkdir(exist_ok=True)
        if not any(path.parent.iterdir()):
            # new, or made by a process that was killed before this
            sync_folder(path.parent.parent)
        place(held, path)
        return Blob(sha256=digest, bytes=size)

    def checked_blob(self, digest: str) -> Path:
        """Hash the content of a blob again and return its path.

        A damaged blob is moved to quarantine/, and CorruptBlob is raised. Nothing uses it any more; the next
        build finds it missing and recomputes it.
        """
        path = self.blob_path(digest)
        try:
            found = file_digest(path)
        except FileNotFoundError:
            raise CorruptBlob(digest, "is missing") from None
        if found != digest:
            # another reader may have found and moved it at the same time
            with suppress(FileNotFoundError):
                path.replace(self.root / "quarantine" / digest)
            raise CorruptBlob(digest, f"holds other content (sha256 {found}) and was moved to quarantine/")
        return path

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give an empty folder on the disk of the store, which is removed at the end."""
        folder = Path(tempfile.mkdtemp(dir=self.root / "tmp"))
        try:
            yield folder
        finally:
            shutil.rmtree(folder)


def file_digest(path: Path) -> str:
    """Return the sha256 of the content of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _move(path: Path, target: Path) -> None:
    try:
        path.rename(target)
    except OSError as fault:
        if fault.errno != errno.EXDEV:
            raise
        shutil.copyfile(path, target)
        path.unlink()
