"""Write one clip of a dataset version in plain formats, for other people's tools."""

from __future__ import annotations

from pathlib import Path

from flows.outcome import Outcome, goal
from model.settings import Settings
from tasks.store.blobs import Store
from tasks.store.show_clip import show_clip as write_clip


class ShowClipSettings(Settings):
    """Which clip to show, and where to write it."""

    store: Path
    """Folder of the store."""
    name: str
    """Name of the dataset; the clip is read from the latest version."""
    clip: str
    """Id of the clip, as manifest.parquet lists it."""
    out: Path
    """Folder to write to; made if absent."""


class ShownClip(Outcome):
    """The files that were written."""

    clip: str
    out: Path
    files: tuple[str, ...]


@goal("show-clip {settings.clip}")
def show_clip(settings: ShowClipSettings) -> ShownClip:
    """Write the arrays of one clip: crop.mp4, depth_m.npy, mask.npy, landmarks.npy, fit.npz, audio.wav ..."""
    written = write_clip(Store(settings.store), settings.name, settings.clip, settings.out)
    return ShownClip(clip=settings.clip, out=settings.out, files=tuple(written))
