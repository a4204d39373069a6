"""Write one clip of a dataset version in plain formats, for other people's tools."""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from flows.outcome import Outcome, tell_outcome
from model.settings import Settings
from tasks.store.blobs import Store
from tasks.store.show_clip import show_clip as write_clip


class ShowClipSettings(Settings):
    """Which clip, and where to."""

    store: Path
    """The store's folder."""
    name: str
    """The dataset's name; its latest version is read."""
    clip: str
    """The clip's id, as in manifest.parquet."""
    out: Path
    """Folder to write to; made if absent."""


class ShownClip(Outcome):
    """What was written."""

    clip: str
    out: Path
    files: tuple[str, ...]


@flow(
    name="show-clip",
    flow_run_name="show-clip {settings.clip}",
    persist_result=False,
    on_completion=[tell_outcome],
)
def show_clip(settings: ShowClipSettings) -> ShownClip:
    """A clip's arrays: crop.mp4, depth_m.npy, mask.npy, landmarks.npy, fit.npz, audio.wav, clip.json ..."""
    written = write_clip(Store(settings.store), settings.name, settings.clip, settings.out)
    return ShownClip(clip=settings.clip, out=settings.out, files=tuple(written))
