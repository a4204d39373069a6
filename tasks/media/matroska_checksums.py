"""Verify the checksums inside a Matroska file: ffmpeg writes a CRC-32 over each part, but ignores it.

The CRC-32 is the first element of its part and covers the rest (RFC 8794, section 11.3.1,
https://www.rfc-editor.org/rfc/rfc8794#section-11.3.1).
"""

from __future__ import annotations

import zlib
from collections.abc import Container
from io import SEEK_CUR, BytesIO
from pathlib import Path
from typing import BinaryIO

from tasks.media.ffmpeg_tool import MediaFileError

_EBML_HEADER, _SEGMENT, _CLUSTER, _VOID = 0x1A45DFA3, 0x18538067, 0x1F43B675, 0xEC
_SIMPLE_BLOCK = 0xA3
_CRC_BYTES = 6  # bf 84, then four of it, the least first


def check_parts(path: Path, frames: Container[int] | None = None) -> None:
    """Compare the parts of a video with their CRC-32; clusters without any of the given frames are skipped.

    Files of other kinds are left to their decoders.

    Raises:
        MediaFileError: a part is damaged or has no checksum.
    """
    size, first = path.stat().st_size, 0
    with path.open("rb") as file:
        if file.read(4) != _EBML_HEADER.to_bytes(4, "big"):
            return
        file.seek(0)
        while file.tell() < size:
            kind, length = _number(file, keep_marker=True), _number(file)
            if kind == _SEGMENT:
                continue  # its parts follow
            content = file.read(length)
            # frames are numbered by counting blocks, because clusters state times and not frame numbers
            held = range(first, first + (_blocks(content) if kind == _CLUSTER and frames is not None else 0))
            first = held.stop
            needless = frames is not None and kind == _CLUSTER and not any(each in frames for each in held)
            if kind not in (_EBML_HEADER, _VOID) and not needless and not _is_sound(content, length):
                raise MediaFileError(
                    f"{path.name}: the part before byte {file.tell()} differs from its CRC; rebuild the file"
                )


def _is_sound(content: bytes, length: int) -> bool:
    # element id 0xBF with the size 4, then the CRC of the rest in little-endian order
    found = zlib.crc32(memoryview(content)[_CRC_BYTES:]).to_bytes(4, "little")
    return len(content) == length and content[:_CRC_BYTES] == b"\xbf\x84" + found


def _blocks(cluster: bytes) -> int:
    """Count the frames in a cluster."""
    stream, count = BytesIO(cluster), 0
    while stream.tell() < len(cluster):
        count += _number(stream, keep_marker=True) == _SIMPLE_BLOCK
        stream.seek(_number(stream), SEEK_CUR)
    return count


def _number(file: BinaryIO, *, keep_marker: bool = False) -> int:
    """Read a variable-length number: the leading zero bits say how many bytes follow the first."""
    head = file.read(1)
    if not head or not head[0]:
        raise MediaFileError(
            f"no Matroska part at byte {file.tell() - 1}, where its CRC would be; rebuild the file"
        )
    # EBML: the position of the first set bit gives the length; the bit itself belongs to ids only
    more = 8 - head[0].bit_length()
    value = head[0] if keep_marker else head[0] & ((0x80 >> more) - 1)
    return int.from_bytes(bytes([value]) + file.read(more), "big")
