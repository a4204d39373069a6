"""Checkpoints of a run: folders of safetensors and one JSON record, whole or not there.

A checkpoint is written under a hidden name, synced, and gets its own by one rename. Its record holds the
digest of every file and of itself, so a damaged one is known and passed over.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

FORMAT = 1
RECORD = "checkpoint.json"
UNFINISHED = ".unfinished-"
"""Start of the names of folders that are being written or removed."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A checkpoint that was found whole."""

    step: int
    """Optimizer steps done."""
    path: Path
    facts: dict[str, Any]
    """What the writer put down."""

    def tensors(self, name: str) -> dict[str, Tensor]:
        """A file's tensors, on the CPU; empty where the writer had none."""
        file = self.path / f"{name}.safetensors"
        return load_file(file) if file.is_file() else {}


def write_checkpoint(
    folder: Path,
    *,
    step: int,
    files: Mapping[str, Mapping[str, Tensor]],
    facts: Mapping[str, Any],
    keep: int,
) -> Path:
    """Write a checkpoint, then tidy up.

    Args:
        folder: of all checkpoints of a run.
        step: names the checkpoint.
        files: file name without suffix -> contiguous CPU tensors that share no memory.
        facts: JSON.
        keep: at least 1.

    Raises:
        OSError: the disk is full or failing; the older checkpoints are as they were.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _clear_unfinished(folder)
    unfinished = folder / f"{UNFINISHED}{step:08d}"
    unfinished.mkdir()
    digests = {}
    for name, tensors in files.items():
        path = unfinished / f"{name}.safetensors"
        _save(tensors, path)
        digests[path.name] = _digest(path)
    record = unfinished / RECORD
    record.write_bytes(_sealed({"format": FORMAT, "step": step, "facts": facts, "files": digests}))
    _sync(record)
    _sync(unfinished)
    path = folder / f"{step:08d}"
    if path.exists():
        _remove(path)
    unfinished.rename(path)
    _sync(folder)
    tidy_checkpoints(folder, newest=step, keep=keep)
    return path


def tidy_checkpoints(folder: Path, *, newest: int, keep: int) -> None:
    """Remove all but the `keep` newest checkpoints up to step `newest`, and what killed writers left.

    Later ones go too: they are damaged, or the run would have started from them.
    """
    _clear_unfinished(folder)
    older = [found for found in _named(folder) if int(found.name) <= newest]
    for found in _named(folder):
        if found not in older[-keep:]:
            _remove(found)


def newest_checkpoint(folder: Path) -> Checkpoint | None:
    """The newest whole checkpoint; damaged ones are passed over with a warning that names them.

    Raises:
        ValueError: a checkpoint is whole, but of another program version.
    """
    for path in reversed(_named(folder)):
        try:
            record = _checked_record(path)
        except _DamageError as damage:
            logger.warning("checkpoint %s is damaged (%s): passed over", path, damage)
            continue
        if record["format"] != FORMAT:
            raise ValueError(
                f"checkpoint {path} has format {record['format']}, this program reads {FORMAT}; "
                "continue with the program that wrote it, or train in an empty folder"
            )
        return Checkpoint(step=record["step"], path=path, facts=record["facts"])
    return None


class _DamageError(Exception):
    """What is wrong with a checkpoint."""


def _checked_record(path: Path) -> dict[str, Any]:
    """The record, after all files were hashed.

    Raises:
        _DamageError: what is wrong.
    """
    try:
        record = json.loads((path / RECORD).read_bytes())
        check = record.pop("check")
    except FileNotFoundError:
        raise _DamageError(f"{RECORD} is missing") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _DamageError(f"{RECORD} is not readable") from None
    if check != _json_digest(record):
        raise _DamageError(f"{RECORD} was changed")
    if record["step"] != int(path.name):
        raise _DamageError(f"{RECORD} is of step {record['step']}")
    for name, digest in record["files"].items():
        file = path / name
        if not file.is_file():
            raise _DamageError(f"{name} is missing")
        if _digest(file) != digest:
            raise _DamageError(f"{name} was changed")
    return cast(dict[str, Any], record)


def _named(folder: Path) -> list[Path]:
    """All checkpoints, whole or not, oldest first."""
    return sorted(path for path in folder.glob("[0-9]*") if path.name.isdecimal() and path.is_dir())


def _save(tensors: Mapping[str, Tensor], path: Path) -> None:
    try:
        save_file(dict(tensors), path)
    except SafetensorError as fault:
        raise OSError(f"{path}: {fault}; make room and run again, the older checkpoints are whole") from fault
    _sync(path)


def _remove(path: Path) -> None:
    """Hide, then remove: a kill in between leaves no half checkpoint."""
    hidden = path.with_name(f"{UNFINISHED}{path.name}-removed")
    path.rename(hidden)
    shutil.rmtree(hidden)


def _clear_unfinished(folder: Path) -> None:
    for path in folder.glob(f"{UNFINISHED}*"):
        shutil.rmtree(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _canonical(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def _json_digest(record: Mapping[str, Any]) -> str:
    return hashlib.sha256(_canonical(record)).hexdigest()


def _sealed(record: dict[str, Any]) -> bytes:
    return _canonical({**record, "check": _json_digest(record)}) + b"\n"
