"""Digests of source files, and what they tell: the same content twice is one clip.

There is no cache of digests by size and time on purpose: a file replaced by another of the same size
whose times were kept (`cp --preserve`) would pass for the old one, and hashing costs little
beside decoding.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from tasks.reasons import Reason, Rejected
from tasks.sources.source import RejectedSource, Source
from tasks.store.canonical import digest_of

CHUNK_BYTES = 1 << 20


def digest_source(path: Path) -> str:
    """The sha256 of a regular file that does not change while it is read.

    Raises:
        Rejected: it is missing, unreadable, a link, not a regular file (which is never opened), empty,
            or it changed while it was read.
    """
    before = _stat_regular(path)
    try:
        # NONBLOCK: should the file become a FIFO between the two calls, opening it must not wait for a writer
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
        Rejected: see digest_source; the detail names the role.
    """
    digests: dict[str, str] = {}
    for role, path in sorted(source.files.items()):
        try:
            digests[role] = digest_source(path)
        except Rejected as rejected:
            raise Rejected(rejected.reason, f"{role}: {rejected.detail}") from rejected
    return digests


def digest_of_roles(digests: Mapping[str, str]) -> str:
    """One digest of a source: its file's own, or that of the canonical list of its files'."""
    return digests["source"] if set(digests) == {"source"} else digest_of(dict(digests))


def mark_duplicates(
    sources: Iterable[Source], digests: Mapping[str, str]
) -> tuple[tuple[Source, ...], tuple[RejectedSource, ...]]:
    """(sources to keep, duplicates): of the same content and interval the first by name is kept.

    Args:
        sources: in any order.
        digests: clip id -> sha256 (digest_of_roles); sources that are not in it are kept.
    """
    first: dict[tuple[str, float | None, float | None], Source] = {}
    kept: list[Source] = []
    duplicates: list[RejectedSource] = []
    for source in sorted(sources, key=lambda source: (source.source_name, source.subset)):
        if source.clip_id not in digests:
            kept.append(source)
            continue
        original = first.setdefault((digests[source.clip_id], *source.interval), source)
        if original is source:
            kept.append(source)
        else:
            duplicates.append(_duplicate(source, original))
    return tuple(kept), tuple(duplicates)


def _duplicate(source: Source, original: Source) -> RejectedSource:
    start_s, end_s = source.interval
    return RejectedSource(
        clip_id=source.clip_id,
        kind=source.kind,
        source_name=source.source_name,
        subject_id=source.subject_id,
        subset=source.subset,
        reason=Reason.DUPLICATE,
        detail=f"same content as {original.source_name!r} ({original.clip_id})",
        start_s=start_s,
        end_s=end_s,
    )


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
    """A file type in words, from st_mode."""
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
    def identity(found: os.stat_result) -> tuple[int, ...]:
        return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    if identity(before) != identity(now):
        raise Rejected(Reason.UNREADABLE, "it changed while it was read; build again when it is whole")


def _unreadable(error: OSError) -> Rejected:
    return Rejected(Reason.UNREADABLE, error.strerror or type(error).__name__)
