"""Checkpoints of a run: folders of safetensors and one JSON record, each whole or absent.

This is the one place where `model` writes files: the trainer alone knows when its state is complete. A
checkpoint is written under a hidden name, synced, and gets its own name by one rename. SHA256SUMS lists the
digest of every file (`sha256sum --check` reads it), so a damaged checkpoint is recognised and passed over.
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
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

FORMAT = 2
RECORD, SUMS = "checkpoint.json", "SHA256SUMS"
UNFINISHED = ".unfinished-"
"""Prefix of folders that are being written or removed."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A checkpoint whose files are all as they were written."""

    step: int
    """Optimizer steps done."""
    path: Path
    facts: dict[str, Any]
    """Facts that the writer recorded."""

    def tensors(self, name: str) -> dict[str, Tensor]:
        """Tensors of a file, on the CPU; empty where the writer had none."""
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
    """Write a checkpoint, then remove old ones.

    Args:
        folder: holds all checkpoints of a run.
        step: optimizer steps done; names the checkpoint.
        files: file name without suffix -> contiguous CPU tensors that share no memory.
        facts: what to record, as JSON.
        keep: checkpoints that stay, at least 1.

    Raises:
        OSError: the disk is full or failing; the older checkpoints are as they were.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _clear_unfinished(folder)
    unfinished = folder / f"{UNFINISHED}{step:08d}"
    unfinished.mkdir()
    for name, tensors in files.items():
        _save(tensors, unfinished / f"{name}.safetensors")
    record = {"format": FORMAT, "step": step, "facts": facts}
    (unfinished / RECORD).write_text(json.dumps(record, sort_keys=True, allow_nan=False) + "\n")
    sums = "".join(f"{_digest(path)}  {path.name}\n" for path in sorted(unfinished.iterdir()))
    (unfinished / SUMS).write_text(sums)
    for path in (unfinished / RECORD, unfinished / SUMS, unfinished):
        _sync(path)
    path = folder / f"{step:08d}"
    if path.exists():
        _remove(path)
    unfinished.rename(path)
    _sync(folder)
    tidy_checkpoints(folder, newest=step, keep=keep)
    return path


def tidy_checkpoints(folder: Path, *, newest: int, keep: int) -> None:
    """Remove all but the `keep` newest checkpoints up to step `newest`, and what killed writers left.

    Later checkpoints go too: they are damaged, or the run would have started from them.
    """
    _clear_unfinished(folder)
    older = [found for found in _named(folder) if int(found.name) <= newest]
    for found in _named(folder):
        if found not in older[-keep:]:
            _remove(found)


def newest_checkpoint(folder: Path) -> Checkpoint | None:
    """Find the newest whole checkpoint; damaged ones are passed over with a warning that names them.

    Raises:
        ValueError: a whole checkpoint was written by another program version.
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
    """The record of a checkpoint, after all its files were compared with SUMS.

    Raises:
        _DamageError: what is wrong.
    """
    present = {file.name for file in path.iterdir()} - {SUMS}
    try:
        lines = (path / SUMS).read_text(errors="replace").splitlines()
    except FileNotFoundError:
        raise _DamageError(f"{SUMS} is missing") from None
    listed = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    if differing := present ^ listed.keys() or {RECORD} - present:
        raise _DamageError(f"{SUMS} and the folder differ in {', '.join(sorted(differing))}")
    for name, digest in listed.items():
        if _digest(path / name) != digest:
            raise _DamageError(f"{name} does not match {SUMS}")
    record: dict[str, Any] = json.loads((path / RECORD).read_bytes())
    if record["step"] != int(path.name):
        raise _DamageError(f"{RECORD} is of step {record['step']}")
    return record


def _named(folder: Path) -> list[Path]:
    """All checkpoints, whole or damaged, oldest first."""
    return sorted(path for path in folder.glob("[0-9]*") if path.name.isdecimal() and path.is_dir())


def _save(tensors: Mapping[str, Tensor], path: Path) -> None:
    try:
        save_file(dict(tensors), path)
    except SafetensorError as fault:
        raise OSError(f"{path}: {fault}; make room and run again, the older checkpoints are whole") from fault
    _sync(path)


def _remove(path: Path) -> None:
    """Hide a checkpoint, then remove it: a kill in between leaves no half checkpoint."""
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
