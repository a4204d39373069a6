"""Describe where two files of one role first differ: frame or array entry, and by how much."""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.media.video_files import PixelFormat, read_frames

CHUNK_BYTES = 1 << 20
_VIDEO_ROLES: dict[str, PixelFormat] = {
    "video": "rgb24",
    "crop": "rgb24",
    "depth": "gray16le",
    "mask": "gray",
}
_MKV, _MP4, _ZIP = b"\x1a\x45\xdf\xa3", b"ftyp", b"PK"


def first_difference(role: str, *, old: Path, new: Path) -> str:
    """Describe how two files of different content differ."""
    with old.open("rb") as old_file, new.open("rb") as new_file:
        starts = (old_file.read(8), new_file.read(8))
    if role in _VIDEO_ROLES and all(start[:4] == _MKV or start[4:] == _MP4 for start in starts):
        return _video_difference(old, new, _VIDEO_ROLES[role])
    if all(start[:2] == _ZIP for start in starts):
        return _npz_difference(old, new)
    return _byte_difference(old, new)


def _video_difference(old: Path, new: Path, pixel_format: PixelFormat) -> str:
    first, largest, count = None, 0.0, 0
    pairs = zip_longest(
        read_frames(old, pixel_format=pixel_format), read_frames(new, pixel_format=pixel_format)
    )
    for count, (was, now) in enumerate(pairs, start=1):
        if was is None or now is None or was.shape != now.shape:
            return f"frame {count - 1}: {_shape(was)} became {_shape(now)}"
        if not np.array_equal(was, now):
            first = count - 1 if first is None else first
            largest = max(largest, _largest_difference(was, now))
    if first is None:
        return f"all {count} frames are equal: only the container differs"
    return f"frame {first} of {count} is the first to differ; largest difference {largest:g}"


def _npz_difference(old: Path, new: Path) -> str:
    with np.load(old, allow_pickle=False) as was, np.load(new, allow_pickle=False) as now:
        if sorted(was.files) != sorted(now.files):
            return f"arrays {sorted(was.files)} became {sorted(now.files)}"
        told = [
            f"{name}: {_array_difference(was[name], now[name])}"
            for name in was.files
            if was[name].tobytes() != now[name].tobytes() or was[name].shape != now[name].shape
        ]
    return "; ".join(told) or "all arrays are equal: only the container differs"


def _array_difference(was: NDArray[Any], now: NDArray[Any]) -> str:
    if was.shape != now.shape or was.dtype != now.dtype:
        return f"{was.dtype} {_shape(was)} became {now.dtype} {_shape(now)}"
    if was.dtype.kind not in "fiub":
        return f"{was!r} became {now!r}"
    # as bytes, because NaN differs from itself
    frames = len(was) if was.ndim else 1
    raw_was, raw_now = (np.frombuffer(array.tobytes(), np.uint8).reshape(frames, -1) for array in (was, now))
    frame = int(np.argmax(np.any(raw_was != raw_now, axis=1)))
    largest = _largest_difference(was, now)
    return f"frame {frame} of {frames} is the first to differ; largest difference {largest:g}"


def _byte_difference(old: Path, new: Path) -> str:
    offset = 0
    with old.open("rb") as old_file, new.open("rb") as new_file:
        while (was := old_file.read(CHUNK_BYTES)) == (now := new_file.read(CHUNK_BYTES)) and was:
            offset += len(was)
    offset += next(
        (i for i, (a, b) in enumerate(zip(was, now, strict=False)) if a != b), min(len(was), len(now))
    )
    return f"byte {offset} is the first to differ; {old.stat().st_size} bytes became {new.stat().st_size}"


def _largest_difference(was: NDArray[Any], now: NDArray[Any]) -> float:
    return float(np.max(np.abs(was.astype(np.float64) - now.astype(np.float64))))


def _shape(array: NDArray[Any] | None) -> str:
    return "nothing" if array is None else str(array.shape)
