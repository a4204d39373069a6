"""Canonical JSON, which writes a value in the same way on every machine, and records with a checksum."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping

from tasks.stage import Json


def canonical_json(value: Json) -> bytes:
    """Write ASCII JSON with sorted keys, no spaces, and floats in their shortest exact form.

    Raises ValueError for values that have no unique text: NaN, infinities, keys that are not strings, and
    types that JSON does not have.
    """
    _refuse_ambiguous(value, "value")
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def _refuse_ambiguous(value: Json, where: str) -> None:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{where} is {value}: only finite numbers have a canonical form")
    elif isinstance(value, Mapping):
        _refuse_odd_keys(value, where)
        for key, item in value.items():
            _refuse_ambiguous(item, f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            _refuse_ambiguous(item, f"{where}[{index}]")
    elif not isinstance(value, str | bool | int | None):
        raise ValueError(f"{where} is a {type(value).__name__}: not JSON; convert it to plain Python first")


def _refuse_odd_keys(value: Mapping[str, Json], where: str) -> None:
    odd = [key for key in value if not isinstance(key, str)]
    if odd:
        raise ValueError(f"{where} has the key {odd[0]!r}: keys must be strings")


def digest_of(value: Json) -> str:
    """Return the sha256 of the canonical JSON of a value, in hex."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def seal(record: Mapping[str, Json]) -> bytes:
    """Write a JSON record with a checksum in "check", which reveals a flipped bit or a torn write."""
    return canonical_json({**record, "check": digest_of(record)}) + b"\n"


def unseal(text: bytes) -> dict[str, Json] | None:
    """Read a record that `seal` wrote, without the checksum; None if it is torn, edited or no record."""
    try:
        record = json.loads(text)
        check = record.pop("check")
        return record if check == digest_of(record) else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
