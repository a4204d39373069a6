"""A model and the split of a version that it is judged on, opened together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tasks.cache_pictures import PictureSettings
from tasks.encode_version import EncodingSettings, VersionEncoder
from tasks.evaluation.open_model import OpenedModel, open_model
from tasks.evaluation.test_frames import TestFrames, choose_frames
from tasks.progress import StageProgress
from tasks.read_version import Split, split_rows
from tasks.store.blobs import Store
from tasks.store.locks import build_lock
from tasks.store.versions import Version, read_version


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What is evaluated on what."""

    model: OpenedModel
    store: Store
    version: Version
    split: Split
    pictures: Mapping[str, str]
    """Clip id -> sha256 of its pictures, of all splits."""
    frames: TestFrames
    side_px: int

    @property
    def notices(self) -> tuple[str, ...]:
        """What is untrained or synthetic, once each."""
        return tuple(dict.fromkeys((*self.model.origin.notices, *self.version.lock.notices)))


@contextmanager
def open_evaluation(
    *,
    store: Path,
    name: str,
    number: int | None,
    model: Path,
    split: Split,
    frames_per_clip: int,
    workers: int,
    progress: StageProgress,
) -> Iterator[Evaluation]:
    """Load the model, cache the version's pictures at its size, and choose frames.

    Raises:
        ValueError: the model takes no RGB, or the split has no published clips.
        StoreError: no such version, or its files are damaged.
    """
    opened = open_model(model, video=model.with_name("video_pipeline"))
    held = Store(store)
    with build_lock(held):
        version = read_version(held, name, number=number)
        rows = split_rows(version.rows, split)
        if not rows:
            raise ValueError(f"version {version.number} of {name} has no published {split} clips")
        encoder = VersionEncoder(store=held, settings=EncodingSettings(workers=workers), progress=progress)
        side_px = opened.pipeline.side_px
        pictures = encoder.pictures(version.rows, PictureSettings(side_px=side_px))
        yield Evaluation(
            model=opened,
            store=held,
            version=version,
            split=split,
            pictures=pictures,
            frames=choose_frames(rows, pictures, held, per_clip=frames_per_clip),
            side_px=side_px,
        )
