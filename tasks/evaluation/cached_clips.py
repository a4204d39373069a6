"""Cached pictures of the clips that an evaluation reads: all frames of small ones, some of large ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from model.samples.manifest import ManifestRow
from model.samples.pictures import Pictures
from tasks.dataset.encode_version import VersionEncoder
from tasks.media.published_clip import load_pictures
from tasks.stages.cache_pictures import PictureSettings
from tasks.store.blobs import Store

WHOLE_TO_PX = 64
"""Up to this size all frames are cached, as a training caches them: its cache is read again."""
KEPT_FRAMES = 16
"""Of larger pictures, 1.5 MB a frame at 512 px, a clip keeps at least so many and at most twice as many."""
FRAMES_AT_ONCE = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedClips:
    """Pictures of clips at one size."""

    store: Store
    digests: Mapping[str, str]
    """Clip id -> sha256 of its pictures."""
    every: Mapping[str, int]
    """Clip id -> n: frames 0, n, 2 n ... are there."""

    def count(self, row: ManifestRow) -> int:
        """Frames of a clip that are there."""
        return -(-(row.frames or 0) // self.every[row.clip_id])

    def chosen(self, row: ManifestRow, places: Iterable[int]) -> list[Pictures]:
        """Some of them, (1, ...) each; no others are read."""
        path = self.store.checked_blob(self.digests[row.clip_id])
        return [load_pictures(path, frames=slice(place, place + 1)) for place in places]

    def batches(self, row: ManifestRow) -> Iterator[Pictures]:
        """All of them in order, so few at a time that memory is flat in the clip's length."""
        path = self.store.checked_blob(self.digests[row.clip_id])
        for first in range(0, self.count(row), FRAMES_AT_ONCE):
            yield load_pictures(path, frames=slice(first, first + FRAMES_AT_ONCE))


def cache_clips(
    rows: Iterable[ManifestRow], encoder: VersionEncoder, *, side_px: int, per_clip: int
) -> CachedClips:
    """Cache what is not there yet.

    Args:
        rows: published ones.
        encoder: of the version.
        side_px: height and width of pictures.
        per_clip: frames of a clip that are needed.

    Raises:
        RuntimeError: a clip's videos could not be read.
    """
    clips = {row.clip_id: row for row in rows}
    every = {
        name: thinning(row.frames or 0, side_px=side_px, least=max(KEPT_FRAMES, per_clip))
        for name, row in clips.items()
    }
    digests: dict[str, str] = {}
    for step in sorted(set(every.values())):
        some = [row for name, row in clips.items() if every[name] == step]
        digests |= encoder.pictures(some, PictureSettings(side_px=side_px, every=step))
    return CachedClips(store=encoder.store, digests=digests, every=every)


def thinning(frames: int, *, side_px: int, least: int) -> int:
    """Of so many frames every n-th is cached: a power of two, so that few clips differ in it."""
    if side_px <= WHOLE_TO_PX:
        return 1
    return 1 << max((frames // least).bit_length() - 1, 0)
