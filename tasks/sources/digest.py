"""Digests of source files, taken from regular files that do not change while they are read.

Digests are not cached by size and time on purpose: a file replaced by another one of the same size with
its times kept (`cp --preserve`) would pass for the old one, and hashing costs little compared to decoding.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from tasks.reasons import Reason, Rejected
from tasks.sources.source import Source
from tasks.store.canonical import digest_of

CHUNK_BYTES = 1 << 20
"""Bytes read at a time."""


def digest_source(path: Path) -> str:
    """The sha256 of a regular file that does not change while it is read.

    Raises:
        Rejected: the file is missing, unreadable, a link, empty or not a regular file (which is never
            opened), or it changed while it was read.
    """
    before = _stat_regular(path)
    try:
        # NONBLOCK: if the file becomes a FIFO between the two calls, opening it must not wait for a writer
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _unreadable(error) from error
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        _check_same(before, os.fstat(descriptor))
        digest = hashlib.sha256()
        try:
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
        except OSError as error:
            raise _unreadable(error) from error
        _check_same(before, os.fstat(descriptor))
    _check_same(before, _stat_regular(path))
    return digest.hexdigest()


def digest_files(source: Source) -> dict[str, str]:
    """Role -> sha256 of each of a source's files.

    Raises:
        Rejected: a file cannot be digested (see digest_source); the detail names its role.
    """
    digests: dict[str, str] = {}
    for role, path in sorted(source.files.items()):
        try:
            digests[role] = digest_source(path)
        except Rejected as rejected:
            raise Rejected(rejected.reason, f"{role}: {rejected.detail}") from rejected
    return digests


def digest_of_roles(digests: Mapping[str, str]) -> str:
    """One digest of a whole source, from the digests of its files by role.

    A video file has its own digest; several files have the digest of their canonical JSON.
    """
    return digests["source"] if set(digests) == {"source"} else digest_of(dict(digests))


def _stat_regular(path: Path) -> os.stat_result:
    try:
        found = path.lstat()
    except OSError as error:
        raise _unreadable(error) from error
    if stat.S_ISLNK(found.st_mode):
        raise Rejected(Reason.UNSAFE_PATH, "a link; links are resolved by the scan only")
    if not stat.S_ISREG(found.st_mode):
        raise Rejected(Reason.NOT_REGULAR, f"a {file_kind(found.st_mode)}, need a regular file")
    if found.st_size == 0:
        raise Rejected(Reason.EMPTY, "0 bytes")
    return found


def file_kind(mode: int) -> str:
    """Name of a file type, from `st_mode`."""
    tests = {
        "FIFO": stat.S_ISFIFO,
        "socket": stat.S_ISSOCK,
        "character device": stat.S_ISCHR,
        "block device": stat.S_ISBLK,
        "folder": stat.S_ISDIR,
        "link": stat.S_ISLNK,
    }
    return next((name for name, test in tests.items() if test(mode)), "file of an unknown type")


def _check_same(before: os.stat_result, now: os.stat_result) -> None:
    """Refuse a file that was exchanged or written to; ctime also shows a change that reset mtime."""

    def identity(found: os.stat_result) -> tuple[int, ...]:
        return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    if identity(before) != identity(now):
        raise Rejected(Reason.UNREADABLE, "it changed while it was read; build again when it is whole")


def _unreadable(error: OSError) -> Rejected:
    return Rejected(Reason.UNREADABLE, error.strerror or type(error).__name__)
