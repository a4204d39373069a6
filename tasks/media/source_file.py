"""Check a source file before ffmpeg reads it: a plain file, its first bytes, and a complete end."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from tasks.reasons import Reason, Rejected

HEAD_BYTES = 64 << 10
TAIL_BYTES = 128 << 10

MAX_BOXES = 200_000
"""Most top-level boxes that are followed: enough for days of one-second fragments."""

_BOXES = (b"ftyp", b"styp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"uuid")
"""Types of box that an mp4 or mov file may start with."""

_MAGIC = (b"RIFF", b"OggS", b"\x1aE\xdf\xa3", b"FLV", b"\x30\x26\xb2\x75", b"\x00\x00\x01\xba", b".RMF")
"""First bytes of avi, ogg, matroska, flv, asf, mpeg and rm files."""

# texts that make a player open other files or addresses, in any mix of capitals
_SCRIPTS = (b"#extm3u", b"ffconcat", b"<mpd", b"[playlist]", b"<smoothstreamingmedia", b"<smil", b"<asx")


def open_source(path: Path, *, max_bytes: int) -> tuple[int, bytes, bytes]:
    """Read size, first and last bytes of a regular file that is no link.

    Raises:
        Rejected: its name is no text, it is no regular file, cannot be read, is empty or too large.
    """
    if not _is_text(path):
        raise Rejected(Reason.UNSAFE_PATH, f"its name is not UTF-8: {path.name!a}; rename it")
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            kind = stat.filemode(path.lstat().st_mode)[0]
            raise Rejected(Reason.NOT_REGULAR, f"it is of type '{kind}'; only plain files are read")
        # NONBLOCK: a pipe put in its place since then must not hang us; NOFOLLOW: nor a link lead away
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Rejected(Reason.UNREADABLE, f"it cannot be opened: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as file:
        size = os.fstat(descriptor).st_size
        if size == 0:
            raise Rejected(Reason.EMPTY, "it has 0 bytes")
        if size > max_bytes:
            raise Rejected(Reason.TOO_LARGE, f"it has {size} bytes, the limit is {max_bytes}")
        try:
            head = file.read(HEAD_BYTES)
            file.seek(max(0, size - TAIL_BYTES))
            return size, head, file.read()
        except OSError as error:
            raise Rejected(Reason.UNREADABLE, f"it cannot be read: {error.strerror}") from error


def is_script(head: bytes) -> bool:
    """Whether the file is a text that names other files: a playlist, concat script or manifest."""
    start = head[:4096].lower().lstrip(b"\xef\xbb\xbf \t\r\n")
    return start.startswith(_SCRIPTS) or (
        start.startswith(b"<?xml") and any(word in start for word in _SCRIPTS)
    )


def looks_like_media(head: bytes) -> bool:
    """Whether the file starts like a common container; if it then cannot be opened, it is damaged."""
    return head[4:8] in _BOXES or head.startswith(_MAGIC)


def missing_bytes(path: Path, *, size: int, head: bytes, tail: bytes) -> str | None:
    """Describe how a file ends before the end that its container states; None if it does not, or is unknown.

    ffmpeg reports nothing if a file is cut between two packets.
    """
    stated = None
    if head[4:8] in _BOXES:
        stated = _end_of_boxes(path, size=size)
    elif head[:4] == b"RIFF":
        stated = int.from_bytes(head[4:8], "little") + 8
    elif head[:4] == b"OggS":
        return None if _has_last_page(tail) else "its last Ogg page does not end a stream"
    if stated is not None and stated > size:
        return f"its container states {stated} bytes, the file has {size}"
    return None


def _is_text(path: Path) -> bool:
    try:
        str(path.absolute()).encode()
    except UnicodeEncodeError:
        return False
    return True


def _end_of_boxes(path: Path, *, size: int) -> int:
    """Find where the last top-level box of an mp4 or mov file ends."""
    at = 0
    with path.open("rb") as file:
        for _ in range(MAX_BOXES):
            if at + 8 > size:
                return at
            file.seek(at)
            header = file.read(16)
            length = int.from_bytes(header[:4], "big")
            if length == 1:
                length = int.from_bytes(header[8:16], "big")
            elif length == 0:  # to the end of the file
                return size
            if length < 8:
                return size  # not a box: ffmpeg judges it
            at += length
    return size


def _has_last_page(tail: bytes) -> bool:
    start = tail.rfind(b"OggS")
    if start < 0 or len(tail) < start + 27:
        return False
    ends_stream = tail[start + 5] & 0x04
    segments = tail[start + 26]
    table = tail[start + 27 : start + 27 + segments]
    return bool(ends_stream) and len(tail) >= start + 27 + segments + sum(table)
