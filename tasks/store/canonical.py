"""Canonical JSON: one value, one text, on every machine; and records that carry their own checksum."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping

from tasks.stage import Json


def canonical_json(value: Json) -> bytes:
    """ASCII JSON with sorted keys and no spaces; floats in their shortest exact form.

    Raises ValueError for what has no single text: NaN, infinities, keys that are not strings and types
    that JSON does not have.
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
    """The sha256, in hex, of a value's canonical JSON."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def seal(record: Mapping[str, Json]) -> bytes:
    """A JSON record with its own checksum in "check", so that a flipped bit or a torn write shows."""
    return canonical_json({**record, "check": digest_of(record)}) + b"\n"


def unseal(text: bytes) -> dict[str, Json] | None:
    """The record that `seal` wrote, without its checksum; None when it is torn, edited or no record."""
    try:
        record = json.loads(text)
        check = record.pop("check")
        return record if check == digest_of(record) else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
