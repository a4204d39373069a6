"""Manifest rows: their canonical bytes, the Merkle root over them, and manifest.parquet."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from itertools import pairwise
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import pyarrow
import pyarrow.parquet

from model.samples.manifest import ManifestRow
from tasks.stage import Json
from tasks.store.canonical import canonical_json

ROW_GROUP_ROWS = 10_000
_SCALARS: dict[Any, pyarrow.DataType] = {
    str: pyarrow.string(),
    bool: pyarrow.bool_(),
    int: pyarrow.int64(),
    float: pyarrow.float64(),
}


def row_bytes(row: ManifestRow) -> bytes:
    """Return the bytes by which a row is hashed: canonical JSON without the fields that are None.

    An optional column that is added later therefore changes no older row.
    """
    return canonical_json({name: value for name, value in _to_json(row).items() if value is not None})


def merkle_root(rows: Sequence[ManifestRow]) -> str:
    """Return the root of a version: the tree hash of RFC 6962 over the rows, sorted by clip id."""
    ordered = sorted(rows, key=lambda row: row.clip_id)
    for row, following in pairwise(ordered):
        if row.clip_id == following.clip_id:
            raise ValueError(f"clip {row.clip_id} has two rows; a source has exactly one")
    level = [hashlib.sha256(b"\0" + row_bytes(row)).digest() for row in ordered]
    while len(level) > 1:
        pairs = [
            hashlib.sha256(b"\1" + left + right).digest()
            for left, right in zip(level[::2], level[1::2], strict=False)
        ]
        level = pairs + level[2 * len(pairs) :]
    return (level[0] if level else hashlib.sha256(b"").digest()).hex()


def manifest_bytes(rows: Sequence[ManifestRow]) -> bytes:
    """Write manifest.parquet: rows sorted by clip id; `blobs` is a list of {role, sha256}."""
    records = [_to_record(row) for row in sorted(rows, key=lambda row: row.clip_id)]
    table = pyarrow.Table.from_pylist(records, schema=manifest_schema())
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(
        table,
        buffer,
        version="2.6",
        data_page_version="1.0",
        compression="zstd",
        compression_level=3,
        row_group_size=ROW_GROUP_ROWS,
        use_dictionary=True,
        write_statistics=True,
        store_schema=True,
    )
    return buffer.getvalue()


def read_manifest(data: bytes) -> list[ManifestRow]:
    """Read the rows of a manifest.parquet."""
    table = pyarrow.parquet.ParquetFile(io.BytesIO(data)).read(use_threads=False)
    return [_to_row(record) for record in table.to_pylist()]


def manifest_schema() -> pyarrow.Schema:
    """Return the columns, which follow from the fields of ManifestRow and are the same in every version."""
    return pyarrow.schema(
        [(name, _column_type(field.annotation)) for name, field in ManifestRow.model_fields.items()]
    )


def _column_type(annotation: Any) -> pyarrow.DataType:
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        (annotation,) = [option for option in get_args(annotation) if option is not type(None)]
        return _column_type(annotation)
    if origin is Literal:
        return pyarrow.string()
    if origin is tuple:
        return pyarrow.list_(_column_type(get_args(annotation)[0]))
    if origin is dict:
        return pyarrow.list_(pyarrow.struct([("role", pyarrow.string()), ("sha256", pyarrow.string())]))
    return _SCALARS[annotation]


def _to_record(row: ManifestRow) -> dict[str, Json]:
    blobs = [{"role": role, "sha256": digest} for role, digest in sorted(row.blobs.items())]
    return {**_to_json(row), "blobs": blobs}


def _to_json(row: ManifestRow) -> dict[str, Json]:
    """Return the row as JSON values; bytes of a file name that are no UTF-8 become backslash escapes."""
    return {
        name: value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
        for name, value in row.model_dump(mode="json").items()
    }


def _to_row(record: dict[str, Json]) -> ManifestRow:
    blobs = {blob["role"]: blob["sha256"] for blob in record["blobs"]}
    return ManifestRow.model_validate({**record, "blobs": blobs})
