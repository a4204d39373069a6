"""HDTF's annotation files: `{RD,WDA,WRA}_{video_url,annotion_time,crop_wh,crop_ratio,resolution}.txt`.

The files have known defects that the reader accepts: a UTF-8 mark at the start, names with and without
.mp4, blanks at line ends, no last newline, videos without intervals and clips without crops. A line that
does not parse is an error that names the file and the line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

Subset = Literal["RD", "WDA", "WRA"]
SUBSETS: tuple[Subset, ...] = ("RD", "WDA", "WRA")
LISTS = ("video_url", "annotion_time", "crop_wh", "crop_ratio", "resolution")

_INTERVAL = re.compile(r"(\d{1,3}):([0-5]\d)-(\d{1,3}):([0-5]\d)", re.ASCII)

Entry = TypeVar("Entry")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedCrop:
    """One row of crop_wh: a box in px of the video at the resolution that the lists state."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HdtfSubset:
    """The five lists of one subset, with videos by name without .mp4 and clips by `<name>_<k>`."""

    subset: Subset
    urls: dict[str, str]
    """Video -> address."""
    intervals: dict[str, tuple[tuple[int, int], ...]]
    """Video -> (start, end) of each of its clips, seconds."""
    crops: dict[str, ListedCrop]
    """Clip -> crop."""
    crop_ratios: dict[str, float]
    """Clip -> enlargement of the square around the face, which the lists offer instead of `crops`."""
    heights: dict[str, int]
    """Video -> height that the crops refer to, px; the lists state 0 for one video."""

    @property
    def videos(self) -> list[str]:
        """Every video that any list names, sorted."""
        return sorted({*self.urls, *self.intervals, *self.heights})


def read_hdtf_lists(folder: Path) -> list[HdtfSubset]:
    """The subsets whose lists are in the folder.

    Raises:
        ValueError: the folder holds no list, one of the five files of a subset is missing, or a line does
            not parse.
    """
    present = [
        subset for subset in SUBSETS if any((folder / f"{subset}_{name}.txt").exists() for name in LISTS)
    ]
    if not present:
        raise ValueError(
            f"{str(folder)!r} holds no <RD|WDA|WRA>_annotion_time.txt; give HDTF's HDTF_dataset folder"
        )
    return [_read_subset(folder, subset) for subset in present]


def _read_subset(folder: Path, subset: Subset) -> HdtfSubset:
    def read(name: str, parse: Callable[[list[str]], Entry]) -> dict[str, Entry]:
        return _read_list(folder / f"{subset}_{name}.txt", parse)

    return HdtfSubset(
        subset=subset,
        urls=read("video_url", _parse_url),
        intervals=read("annotion_time", _parse_intervals),
        crops=read("crop_wh", _parse_crop),
        crop_ratios=read("crop_ratio", _parse_ratio),
        heights=read("resolution", _parse_height),
    )


def _read_list(path: Path, parse: Callable[[list[str]], Entry]) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    for number, cells in _lines(path):
        name = cells[0].removesuffix(".mp4")
        try:
            entry = parse(cells[1:])
        except ValueError as error:
            raise ValueError(f"{path}:{number}: {' '.join(cells)!r}: {error}") from error
        if entries.get(name, entry) != entry:
            raise ValueError(f"{path}:{number}: {name!r} is listed twice, with {entries[name]} and {entry}")
        entries[name] = entry
    return entries


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError as error:
        raise ValueError(f"{path} is missing; each subset of HDTF has five: {', '.join(LISTS)}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 text at byte {error.start}") from error
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, line.split()


def _parse_url(cells: list[str]) -> str:
    (url,) = _exactly(cells, 1, form="<name> <url>")
    return url


def _parse_intervals(cells: list[str]) -> tuple[tuple[int, int], ...]:
    return tuple(_parse_interval(cell) for cell in cells)


def _parse_interval(cell: str) -> tuple[int, int]:
    match = _INTERVAL.fullmatch(cell)
    if not match:
        raise ValueError(f"{cell!r} is not an interval; need MM:SS-MM:SS")
    start_min, start_s, end_min, end_s = (int(group) for group in match.groups())
    start, end = 60 * start_min + start_s, 60 * end_min + end_s
    if start >= end:
        raise ValueError(f"the interval {cell} ends before it starts")
    return start, end


def _parse_crop(cells: list[str]) -> ListedCrop:
    # the list's order is x, width, y, height
    x, width, y, height = (_whole(cell) for cell in _exactly(cells, 4, form="<clip> x width y height"))
    if not width or not height:
        raise ValueError("the crop is empty")
    return ListedCrop(x=x, y=y, width=width, height=height)


def _parse_ratio(cells: list[str]) -> float:
    (ratio,) = (float(cell) for cell in _exactly(cells, 1, form="<clip> <ratio>"))
    if not 0.1 <= ratio <= 10:
        raise ValueError(f"ratio {ratio} is outside 0.1 .. 10")
    return ratio


def _parse_height(cells: list[str]) -> int:
    (height,) = (_whole(cell) for cell in _exactly(cells, 1, form="<name> <height>"))
    return height


def _whole(cell: str) -> int:
    if not re.fullmatch(r"\d{1,6}", cell, re.ASCII):
        raise ValueError(f"{cell!r} is not a whole number of pixels")
    return int(cell)


def _exactly(cells: list[str], count: int, *, form: str) -> list[str]:
    if len(cells) != count:
        raise ValueError(f"{len(cells)} values after the name; need {form}")
    return cells
