"""Vertex positions and faces of PLY meshes, ascii or binary little endian; all else is skipped."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rendering.arrays import Float32, Int32

_TYPES = {
    **dict.fromkeys(("char", "int8"), "i1"),
    **dict.fromkeys(("uchar", "uint8"), "u1"),
    **dict.fromkeys(("short", "int16"), "i2"),
    **dict.fromkeys(("ushort", "uint16"), "u2"),
    **dict.fromkeys(("int", "int32"), "i4"),
    **dict.fromkeys(("uint", "uint32"), "u4"),
    **dict.fromkeys(("float", "float32"), "f4"),
    **dict.fromkeys(("double", "float64"), "f8"),
}
_STRUCT = {"i1": "b", "u1": "B", "i2": "h", "u2": "H", "i4": "i", "u4": "I", "f4": "f", "f8": "d"}
_INDEX_NAMES = ("vertex_indices", "vertex_index")
MAX_HEADER_BYTES = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class _Property:
    name: str
    kind: str
    """numpy type of the value, or of the items of a list."""
    count_kind: str | None
    """numpy type of the length of a list; None = a single value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Element:
    name: str
    rows: int
    properties: tuple[_Property, ...]

    @property
    def least_bytes(self) -> int:
        """Bytes of a binary row whose lists are empty: no row is shorter."""
        return sum(np.dtype(item.count_kind or item.kind).itemsize for item in self.properties)


def parse_ply_elements(data: bytes) -> tuple[Float32, Int32]:
    """Vertices (V, 3) and triangles (F, 3); larger faces are cut into fans from their first corner.

    Raises:
        ValueError: the header does not parse, or declares more than the bytes hold.
    """
    binary, elements, body = _parse_header(data)
    rows = _binary_rows(body, elements) if binary else _ascii_rows(body, elements)
    vertices: Float32 | None = None
    triangles = np.empty((0, 3), np.int32)
    for element, table in rows:
        if element.name == "vertex":
            vertices = _positions(table)
        elif element.name == "face":
            triangles = _triangles(table)
    if vertices is None:
        raise ValueError("no element 'vertex'; need a PLY mesh")
    return vertices, triangles


Table = dict[str, NDArray[np.generic] | list[list[int]]]
"""Column of values of each property, or a list of lists of whole numbers."""


def _parse_header(data: bytes) -> tuple[bool, list[_Element], bytes]:
    match = re.match(rb"ply\r?\n.*?\nend_header\r?\n", data[:MAX_HEADER_BYTES], re.DOTALL)
    if not match:
        raise ValueError("no PLY header")
    lines = [line.split() for line in match.group().decode("ascii", "replace").splitlines()[1:-1]]
    formats = [words[1:] for words in lines if words[:1] == ["format"]]
    if formats not in ([["ascii", "1.0"]], [["binary_little_endian", "1.0"]]):
        raise ValueError(f"format {formats}, need ascii 1.0 or binary_little_endian 1.0")
    elements: list[_Element] = []
    for words in lines:
        if words[:1] == ["element"]:
            elements.append(_parse_element(words))
        elif words[:1] == ["property"]:
            if not elements:
                raise ValueError(f"{' '.join(words)!r} before any element")
            last = elements.pop()
            properties = (*last.properties, _parse_property(words))
            elements.append(_Element(name=last.name, rows=last.rows, properties=properties))
    return formats[0][0] != "ascii", elements, data[match.end() :]


def _parse_element(words: list[str]) -> _Element:
    if len(words) != 3 or not re.fullmatch(r"\d{1,9}", words[2], re.ASCII):
        raise ValueError(f"{' '.join(words)!r} is no element line")
    return _Element(name=words[1], rows=int(words[2]), properties=())


def _parse_property(words: list[str]) -> _Property:
    kinds = words[2:4] if words[1:2] == ["list"] else words[1:2]
    if len(words) != len(kinds) + (3 if words[1:2] == ["list"] else 2) or not set(kinds) <= set(_TYPES):
        raise ValueError(f"{' '.join(words)!r} is no property line")
    count_kind = _TYPES[kinds[0]] if len(kinds) == 2 else None
    if count_kind and count_kind[0] == "f":
        raise ValueError(f"{' '.join(words)!r}: the length of a list is a whole number")
    return _Property(name=words[-1], kind=_TYPES[kinds[-1]], count_kind=count_kind)


def _binary_rows(body: bytes, elements: list[_Element]) -> Iterator[tuple[_Element, Table]]:
    start = 0
    for element in elements:
        # A header can claim any number of rows: refuse before reading them.
        needed = element.rows * element.least_bytes
        if needed > len(body) - start:
            raise ValueError(
                f"{element.rows} rows of {element.name!r} need {needed} bytes, {len(body) - start} are left"
            )
        if any(item.count_kind for item in element.properties):
            table, start = _binary_lists(body, element, start)
        else:
            kind = np.dtype([(item.name, f"<{item.kind}") for item in element.properties])
            rows = np.frombuffer(body, kind, count=element.rows, offset=start)
            table, start = {name: rows[name] for name in rows.dtype.names or ()}, start + needed
        yield element, table


def _binary_lists(body: bytes, element: _Element, start: int) -> tuple[Table, int]:
    """Read rows with lists: at once if every face is a triangle, else row by row."""
    all_triangles = _Quick.read(body, element, start)
    if all_triangles is not None:
        return all_triangles
    table: dict[str, list[list[int]]] = {item.name: [] for item in element.properties}
    try:
        for _ in range(element.rows):
            for item in element.properties:
                count = 1
                if item.count_kind:
                    (count,) = struct.unpack_from(f"<{_STRUCT[item.count_kind]}", body, start)
                    start += np.dtype(item.count_kind).itemsize
                size = np.dtype(item.kind).itemsize
                if not 0 <= count * size <= len(body) - start:
                    raise ValueError(f"a list of {count} items, {len(body) - start} bytes are left")
                table[item.name].append(
                    list(struct.unpack_from(f"<{count}{_STRUCT[item.kind]}", body, start))
                )
                start += count * size
    except struct.error as error:
        raise ValueError(f"{element.name!r} ends early: {error}") from error
    return dict(table), start


class _Quick:
    """Reader of faces that are one list of three each, as in nearly all files."""

    @staticmethod
    def read(body: bytes, element: _Element, start: int) -> tuple[Table, int] | None:
        if len(element.properties) != 1 or element.properties[0].kind[0] == "f":
            return None
        (item,) = element.properties
        kind = np.dtype([("count", f"<{item.count_kind}"), ("items", f"<{item.kind}", (3,))])
        if element.rows * kind.itemsize > len(body) - start:
            return None
        rows = np.frombuffer(body, kind, count=element.rows, offset=start)
        if not (rows["count"] == 3).all():
            return None
        return {item.name: rows["items"]}, start + element.rows * kind.itemsize


def _ascii_rows(body: bytes, elements: list[_Element]) -> Iterator[tuple[_Element, Table]]:
    lines = iter(body.decode("ascii", "replace").splitlines())
    for element in elements:
        table: dict[str, list[list[float]]] = {item.name: [] for item in element.properties}
        for row in range(element.rows):
            line = next(lines, None)
            if line is None:
                raise ValueError(f"ends after {row} of {element.rows} rows of {element.name!r}")
            _read_ascii_row(line.split(), element, table)
        yield element, {name: _column(values) for name, values in table.items()}


def _read_ascii_row(words: list[str], element: _Element, table: dict[str, list[list[float]]]) -> None:
    numbers = iter(words)
    try:
        for item in element.properties:
            count = int(next(numbers)) if item.count_kind else 1
            table[item.name].append([float(next(numbers)) for _ in range(count)])
        if not all(math.isfinite(number) for row in table.values() for number in row[-1]):
            raise ValueError("not finite")
    except (StopIteration, ValueError) as error:
        raise ValueError(f"{' '.join(words)[:80]!r} is no row of {element.name!r}") from error


def _column(values: list[list[float]]) -> NDArray[np.generic] | list[list[int]]:
    if all(len(value) == 1 for value in values):
        return np.array(values, np.float64).reshape(-1)
    return [[int(item) for item in value] for value in values]


def _positions(table: Table) -> Float32:
    if not {"x", "y", "z"} <= set(table):
        raise ValueError(f"vertices have {sorted(table)}, need x, y, z")
    columns = [np.asarray(table[axis]) for axis in "xyz"]
    return np.asarray(np.stack(columns, axis=1).reshape(-1, 3), np.float32)


def _triangles(table: Table) -> Int32:
    name = next((name for name in _INDEX_NAMES if name in table), None)
    if name is None:
        raise ValueError(f"faces have {sorted(table)}, need vertex_indices")
    faces = table[name]
    if isinstance(faces, np.ndarray):
        # Ids beyond int32 are clipped: wrapped around, they could pass the check of ids.
        return np.asarray(faces).astype(np.int64).clip(-1, 2**31 - 1).astype(np.int32).reshape(-1, 3)
    fans = [(face[0], face[k], face[k + 1]) for face in faces for k in range(1, len(face) - 1)]
    return np.array(fans, np.int64).reshape(-1, 3).clip(-1, 2**31 - 1).astype(np.int32)
