"""A model and the split of a version that it is judged on, opened together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import PositiveInt

from model.samples.manifest import ManifestRow
from model.settings import Settings
from tasks.dataset.encode_version import EncodingSettings, VersionEncoder
from tasks.dataset.read_version import Split, split_rows
from tasks.evaluation.cached_clips import CachedClips, cache_clips
from tasks.evaluation.held_out_frames import TestFrames, choose_frames
from tasks.evaluation.open_model import OpenedModel, open_model
from tasks.progress import StageProgress
from tasks.store.blobs import Store
from tasks.store.locks import build_lock
from tasks.store.versions import Version, read_version

FurtherClips = Callable[[Sequence[ManifestRow], Split], Sequence[ManifestRow]]
"""Rows of a version and the split -> rows besides the split's whose pictures are read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What is evaluated on what."""

    model: OpenedModel
    store: Store
    version: Version
    split: Split
    clips: CachedClips
    """Of the split, and those that the evaluation asked for."""
    frames: TestFrames
    side_px: int

    @property
    def notices(self) -> tuple[str, ...]:
        """What is untrained or synthetic, once each."""
        return tuple(dict.fromkeys((*self.model.origin.notices, *self.version.lock.notices)))

    @property
    def facts(self) -> dict[str, Any]:
        """Those of tasks.evaluation.results.Evaluated."""
        return {
            "dataset": self.version.name,
            "number": self.version.number,
            "root": self.version.root,
            "split": self.split,
            "origin": self.model.origin,
            "side_px": self.side_px,
            "notices": self.notices,
        }


class EvaluationSettings(Settings):
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
def open_evaluation(
    settings: EvaluationSettings, progress: StageProgress, *, further: FurtherClips
) -> Iterator[Evaluation]:
    """Load the model, cache the pictures that are read at its size, and choose frames.

    Args:
        settings: what is evaluated on what.
        progress: tells of what is cached.
        further: clips besides the split's whose pictures are read.

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
        clips = cache_clips(
            [*rows, *further(version.rows, settings.split)],
            encoder,
            side_px=side_px,
            per_clip=settings.frames_per_clip,
        )
        yield Evaluation(
            model=model,
            store=store,
            version=version,
            split=settings.split,
            clips=clips,
            frames=choose_frames(rows, clips, per_clip=settings.frames_per_clip),
            side_px=side_px,
        )
