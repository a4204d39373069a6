"""A model and the held-out frames of a dataset version, opened together for an evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import PositiveInt

from model.pipelines.pipeline_image import PortraitRGBDPipeline
from model.pipelines.pipeline_video import PortraitRGBDVideoPipeline
from model.samples.manifest import ManifestRow
from model.settings import Settings
from tasks.applications.open_model import OpenedModel, is_saved_pipeline, open_inpaint_model, open_model
from tasks.dataset.encode_version import EncodingSettings, VersionEncoder
from tasks.dataset.read_version import Split, split_rows
from tasks.evaluation.cached_clips import CachedClips, cache_clips
from tasks.evaluation.held_out_frames import HeldOutFrames, choose_frames
from tasks.progress import StageProgress
from tasks.store.blobs import Store
from tasks.store.locks import build_lock
from tasks.store.versions import Version, read_version

FurtherClips = Callable[[Sequence[ManifestRow], Split], Sequence[ManifestRow]]
"""(rows of a version, split) -> further clips whose pictures the evaluation reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """A model, and the frames that it is evaluated on."""

    model: OpenedModel[PortraitRGBDPipeline]
    """A pipeline of the inpaint stage."""
    video: PortraitRGBDVideoPipeline | None
    """The pipeline of the motion stage; None if the training has none."""
    store: Store
    version: Version
    split: Split
    clips: CachedClips
    """Clips of the split, and further clips that the evaluation reads."""
    frames: HeldOutFrames
    side_px: int
    """Height and width of pictures."""

    @property
    def notices(self) -> tuple[str, ...]:
        """What is untrained or synthetic in the model or the version, each sentence once."""
        return tuple(dict.fromkeys((*self.model.origin.notices, *self.version.lock.notices)))

    @property
    def facts(self) -> dict[str, Any]:
        """Fields of tasks.evaluation.results.Evaluated, except the pictures."""
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
    """The model, the dataset version and the frames of an evaluation."""

    store: Path
    """Folder of the store."""
    name: str
    """Name of the dataset."""
    number: PositiveInt | None = None
    """Number of the dataset version; default: the latest."""
    model: Path
    """Folder pipeline/ of a training whose inpaint stage is finished; the talking clip is sampled with
    video_pipeline/ beside it."""
    out: Path
    """Folder for scores, pictures and report.html."""
    split: Split = "test"
    """Split of the dataset version that is evaluated."""
    frames_per_clip: PositiveInt = 4
    """Largest number of frames of a clip; they are evenly spread over the clip."""
    workers: PositiveInt = 2
    """Number of processes that cache pictures; the results do not depend on it."""


@contextmanager
def open_evaluation(
    settings: EvaluationSettings, progress: StageProgress, *, further: FurtherClips
) -> Iterator[Evaluation]:
    """Load the model, cache the pictures that the evaluation reads at the model's size, and choose frames.

    Args:
        settings: the model, the version and the frames.
        progress: shows the progress of caching.
        further: clips outside the split whose pictures the evaluation reads.

    Raises:
        ValueError: the model cannot be loaded or takes no RGB, or the split has no published clips.
        StoreError: the store has no such version, or files of it are damaged.
    """
    model, video = open_inpaint_model(settings.model), _open_video(settings.model.with_name("video_pipeline"))
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
            video=video,
            store=store,
            version=version,
            split=settings.split,
            clips=clips,
            frames=choose_frames(rows, clips, per_clip=settings.frames_per_clip),
            side_px=side_px,
        )


def _open_video(folder: Path) -> PortraitRGBDVideoPipeline | None:
    if not is_saved_pipeline(folder):
        return None
    return open_model(folder, kind=PortraitRGBDVideoPipeline).pipeline
