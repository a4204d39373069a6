"""Write files so that a kill or a power cut leaves either the old or the new state.

Every file is written under a temporary name in tmp/ of the store, synced, and put in place by one rename or
link; then the folder is synced.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DISK_FAULTS = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EFBIG}


class StoreError(Exception):
    """An error of the store itself, never of a clip."""


class StoreDiskError(StoreError):
    """The disk of the store is full, read-only or failing. The content of the store stays whole."""


def sync_folder(folder: Path) -> None:
    """Sync a folder, so that the names in it survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Create a folder and its missing parents durably; an existing folder is no error."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def write_temporary(folder: Path, data: bytes) -> Path:
    """Write and sync a new file with a unique name in `folder`."""
    descriptor, name = tempfile.mkstemp(dir=folder)
    path = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        path.unlink()
        raise
    return path


def place(temporary: Path, target: Path) -> None:
    """Rename a synced temporary file to its final name and replace a file of that name."""
    temporary.replace(target)
    sync_folder(target.parent)


def place_new(temporary: Path, target: Path) -> None:
    """Link a synced temporary file to its final name; raise FileExistsError if the name is taken."""
    try:
        os.link(temporary, target)
        sync_folder(target.parent)
    finally:
        temporary.unlink()


def sync_file(path: Path) -> None:
    """Sync a file that something else wrote, so that its content survives a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def disk_faults(root: Path, needed_bytes: int) -> Iterator[None]:
    """Turn errors of the disk into a StoreDiskError that names the store and the space that was needed."""
    try:
        yield
    except OSError as fault:
        if fault.errno not in DISK_FAULTS:
            raise
        free = shutil.disk_usage(root).free
        message = (
            f"store {root}: {fault.strerror} while writing {needed_bytes} bytes ({free} bytes are free); "
            "make room or repair the disk and run again: all finished work is kept"
        )
        raise StoreDiskError(message) from fault
