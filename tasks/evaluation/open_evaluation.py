"""A model and the split of a version that it is judged on, opened together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, PositiveInt

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


class EvaluationSettings(BaseModel, frozen=True, extra="forbid", use_attribute_docstrings=True):
    """What is evaluated on what."""

    store: Path
    """The store's folder."""
    name: str
    """The dataset's name."""
    number: PositiveInt | None = None
    """Of its version; the latest where none is given."""
    model: Path
    """Folder pipeline/ of a training whose inpaint stage is finished; video_pipeline/ beside it talks."""
    out: Path
    """Folder for figures, pictures and report.html."""
    split: Split = "test"
    """Of the version."""
    frames_per_clip: PositiveInt = 4
    """At most, evenly spread."""
    workers: PositiveInt = 2
    """Processes that cache pictures; it changes no result."""


@contextmanager
def open_evaluation(settings: EvaluationSettings, progress: StageProgress) -> Iterator[Evaluation]:
    """Load the model, cache the version's pictures at its size, and choose frames.

    Raises:
        ValueError: the model takes no RGB, or the split has no published clips.
        StoreError: no such version, or its files are damaged.
    """
    model = open_model(settings.model, video=settings.model.with_name("video_pipeline"))
    store = Store(settings.store)
    with build_lock(store):
        version = read_version(store, settings.name, number=settings.number)
        rows = split_rows(version.rows, settings.split)
        if not rows:
            raise ValueError(
                f"version {version.number} of {settings.name} has no published {settings.split} clips"
            )
        encoder = VersionEncoder(
            store=store, settings=EncodingSettings(workers=settings.workers), progress=progress
        )
        side_px = model.pipeline.side_px
        pictures = encoder.pictures(version.rows, PictureSettings(side_px=side_px))
        yield Evaluation(
            model=model,
            store=store,
            version=version,
            split=settings.split,
            pictures=pictures,
            frames=choose_frames(rows, pictures, store, per_clip=settings.frames_per_clip),
            side_px=side_px,
        )
