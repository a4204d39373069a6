"""Open a dataset version for training: clips by index, latents and speech by window."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal
from zipfile import ZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from torch import Tensor

from model.samples.manifest import ManifestRow
from model.samples.training_set import ClipFacts, Latents
from tasks.store.blobs import Store
from tasks.store.versions import Version

Split = Literal["train", "val", "test"]


class TrainingClips:
    """The published clips of one split (model.samples.training_set.ClipReader).

    Every blob is hashed when its clip is first used. After that, windows are read straight from disk, so that
    memory does not grow with the version. The object can be sent to the workers of a data loader.
    """

    def __init__(self, store: Store, version: Version, *, split: Split, latents: Mapping[str, str]) -> None:
        """Open the split.

        Args:
            store: store that holds the version.
            version: result of read_version.
            split: split whose clips are read, in the order of their ids.
            latents: clip id -> sha256 of the latents (tasks/dataset/encode_version.py).

        Raises:
            ValueError: clips have no latents, or there are no clips.
        """
        self._store, self.root = store, version.root
        self._rows = split_rows(version.rows, split)
        missing = [row.clip_id for row in self._rows if row.clip_id not in latents]
        if missing:
            raise ValueError(f"{len(missing)} clips have no latents, first {missing[0]}; encode the version")
        if not self._rows:
            raise ValueError(f"version {version.number} of {version.name} has no published {split} clips")
        self._latents = dict(latents)
        self._checked: dict[str, Path] = {}

    @cached_property
    def clips(self) -> tuple[ClipFacts, ...]:
        """Facts of each clip, in order."""
        return tuple(
            ClipFacts(
                clip_id=row.clip_id,
                kind=row.kind,
                subject_id=row.subject_id,
                frames=row.frames or 0,
                has_speech="speech" in row.blobs,
            )
            for row in self._rows
        )

    def latents(self, clip: int, *, first: int, count: int) -> Latents:
        """Latents of the frames first .. first + count, float32."""
        path = self._path(self._latents[self._rows[clip].clip_id])
        with safe_open(path, framework="pt") as file:
            window = {
                name: file.get_slice(name)[first : first + count].float() for name in ("rgb", "depth", "mask")
            }
        return Latents(**window)

    def speech(self, clip: int, *, first: int, count: int) -> Tensor:
        """Speech features of frames first .. first + count, (count, layers, D) float32."""
        features = _rows_of(self._path(self._rows[clip].blobs["speech"]), "features", first, count)
        return torch.from_numpy(features.astype(np.float32))

    def _path(self, digest: str) -> Path:
        if digest not in self._checked:
            self._checked[digest] = self._store.checked_blob(digest)
        return self._checked[digest]


def _rows_of(path: Path, name: str, first: int, count: int) -> NDArray[Any]:
    """Read some rows of an array in an .npz file without the others: minutes of speech take 100s of MB."""
    with ZipFile(path) as archive, archive.open(f"{name}.npy") as member:
        np.lib.format.read_magic(member)  # type: ignore[no-untyped-call]
        shape, _, dtype = np.lib.format.read_array_header_1_0(member)  # type: ignore[no-untyped-call]
        row_bytes = dtype.itemsize * math.prod(shape[1:])
        member.seek(first * row_bytes, os.SEEK_CUR)
        return np.frombuffer(member.read(count * row_bytes), dtype).reshape(-1, *shape[1:])


def split_rows(rows: Iterable[ManifestRow], split: Split) -> list[ManifestRow]:
    """Return the published rows of a split, sorted by clip id."""
    wanted = (row for row in rows if row.split == split and row.status == "published")
    return sorted(wanted, key=lambda row: row.clip_id)
