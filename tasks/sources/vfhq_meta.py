"""Meta files of VFHQ: one `Clip+<video>+P<person>+C<clip>+F<start>-<end>.txt` for each clip."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

from tasks.sources.source import DeclaredCrop

_PARTS = (r"Clip", r".+", r"P\d+", r"C\d+", r"F\d+-\d+")
_NEEDED = ("H", "W", "FPS", "CROP")


@dataclass(frozen=True, slots=True, kw_only=True)
class VfhqMeta:
    """Content of one meta file.

    The clip is frames start + 1 .. end - 1 of the video, counted from 0 in decoding order.
    """

    name: str
    """Stem of the meta file and name of the clip."""
    video: str
    """Id of the video, which may start with '-' and hold '_'."""
    person: int
    """Number of the person in the video."""
    start: int
    end: int
    height: int
    width: int
    """Size of the video that the crop was measured on, px."""
    fps: float
    """Frame rate of that video, frames a second."""
    crop: tuple[int, int, int, int]
    """x0, y0, x1, y1, px; x1 and y1 are outside the crop."""
    other_lines: tuple[str, ...]
    """Lines of other fields, unchanged."""

    @property
    def frames(self) -> int:
        """Number of frames of the clip."""
        return self.end - self.start - 1

    @property
    def subject_id(self) -> str:
        """The person, who is known within one video only."""
        return f"vfhq/{self.video}/P{self.person}"

    def declared_crop(self) -> tuple[DeclaredCrop | None, str]:
        """(crop, "") or (None, why the crop cannot be used)."""
        x0, y0, x1, y1 = self.crop
        if not (0 <= x0 < x1 <= self.width and 0 <= y0 < y1 <= self.height):
            return None, f"VFHQ's crop {self.crop} leaves its {self.width}x{self.height} frame"
        return DeclaredCrop(x=x0, y=y0, w=x1 - x0, h=y1 - y0, ref_height=self.height), ""


def read_vfhq_meta(folder: Path) -> list[VfhqMeta]:
    """Every meta file of a folder, in order of names.

    Raises:
        ValueError: the folder is missing or holds no meta file, or one does not parse; the message names
            file and line.
    """
    paths = sorted(folder.glob("Clip+*.txt"))
    if not paths:
        raise ValueError(f"{str(folder)!r} holds no Clip+*.txt; give the folder of VFHQ's meta files")
    return [parse_vfhq_meta(path) for path in paths]


def parse_vfhq_meta(path: Path) -> VfhqMeta:
    """Read one meta file.

    Raises:
        ValueError: the file's name or a line does not parse, or a needed line is missing.
    """
    video, person, start, end = _parse_name(path)
    fields, other = _read_fields(path)
    lacking = [name for name in _NEEDED if name not in fields]
    if lacking:
        raise ValueError(f"{path}: no line {', '.join(lacking)}; need {', '.join(_NEEDED)}")
    return VfhqMeta(
        name=path.stem,
        video=video,
        person=person,
        start=start,
        end=end,
        height=_whole(fields["H"], path),
        width=_whole(fields["W"], path),
        fps=_rate(fields["FPS"], path),
        crop=_box(fields["CROP"], path),
        other_lines=other,
    )


def _parse_name(path: Path) -> tuple[str, int, int, int]:
    parts = path.stem.split("+")
    if len(parts) != len(_PARTS) or not all(map(re.fullmatch, _PARTS, parts)):
        raise ValueError(f"{path}: need a name like Clip+<video>+P<p>+C<c>+F<start>-<end>.txt")
    start, end = (int(number) for number in parts[4][1:].split("-"))
    if end - start < 2:
        raise ValueError(f"{path}: F{start}-{end} holds no frame; need an end of {start + 2} or more")
    return parts[1], int(parts[2][1:]), start, end


def _read_fields(path: Path) -> tuple[dict[str, tuple[int, list[str]]], tuple[str, ...]]:
    """({needed field: (line number, words after its name)}, all other lines)."""
    fields: dict[str, tuple[int, list[str]]] = {}
    other: list[str] = []
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 text at byte {error.start}") from error
    for number, line in enumerate(lines, start=1):
        words = line.replace(":", " ").split()
        if not words or words[0] not in _NEEDED:
            other.append(line)
        elif words[0] in fields:
            raise ValueError(f"{path}:{number}: a second line {words[0]}")
        else:
            fields[words[0]] = (number, words[1:])
    return fields, tuple(other)


def _whole(field: tuple[int, list[str]], path: Path) -> int:
    number, words = field
    if not words or not re.fullmatch(r"[1-9]\d{0,5}", words[-1], re.ASCII):
        raise ValueError(f"{path}:{number}: {' '.join(words)!r} is not a size in pixels")
    return int(words[-1])


def _rate(field: tuple[int, list[str]], path: Path) -> float:
    number, words = field
    try:
        fps = float(words[-1])
    except (IndexError, ValueError) as error:
        raise ValueError(f"{path}:{number}: {' '.join(words)!r} is not a frame rate") from error
    if not (math.isfinite(fps) and 1 <= fps <= 1000):
        raise ValueError(f"{path}:{number}: {fps} frames a second, need 1 .. 1000")
    return fps


def _box(field: tuple[int, list[str]], path: Path) -> tuple[int, int, int, int]:
    number, words = field
    numbers = words[-4:]
    if len(numbers) != 4 or not all(re.fullmatch(r"-?\d{1,6}", word, re.ASCII) for word in numbers):
        raise ValueError(f"{path}:{number}: {' '.join(words)!r} is not a box x0 y0 x1 y1")
    x0, y0, x1, y1 = (int(word) for word in numbers)
    return x0, y0, x1, y1
