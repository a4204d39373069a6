"""Locks on an open file. They end with their process, so that no lock is ever left behind."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from tasks.store.blobs import Store
from tasks.store.durable import StoreError


class StoreBusy(StoreError):  # noqa: N818  # names the state
    """Another process holds a lock on the store that excludes this one."""


@contextmanager
def build_lock(store: Store) -> Iterator[None]:
    """Hold the store against garbage collection; any number of builds may hold it together.

    The first build on an idle store removes the files that killed builds left in tmp/.
    """
    with _lock_file(store) as descriptor:
        if _try_exclusive(descriptor):
            clear_temporary(store)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield


@contextmanager
def sole_lock(store: Store) -> Iterator[None]:
    """Hold the store alone, or raise StoreBusy at once."""
    with _lock_file(store) as descriptor:
        if not _try_exclusive(descriptor):
            raise StoreBusy(f"store {store.root}: a build is running; collect garbage when it has ended")
        yield


def clear_temporary(store: Store) -> None:
    """Remove everything in tmp/; allowed only while no other process can write there."""
    for left in (store.root / "tmp").iterdir():
        if left.is_dir():
            shutil.rmtree(left)
        else:
            # a builder that makes the store at the same time moves its marker out of here without the lock
            left.unlink(missing_ok=True)


@contextmanager
def _lock_file(store: Store) -> Iterator[int]:
    descriptor = os.open(store.root / "lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _try_exclusive(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
