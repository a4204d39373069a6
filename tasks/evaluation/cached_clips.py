"""Cached pictures of the clips that an evaluation reads: all frames at small sizes, some at large sizes."""

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
"""Largest size at which all frames are cached: a training caches the same frames, and its cache is reused."""
KEPT_FRAMES = 16
"""Smallest number of frames of a clip that are cached at larger sizes; the largest is twice as many. A frame
of 512 px takes 1.5 MB."""
FRAMES_AT_ONCE = 256
"""Number of frames in memory while a clip is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedClips:
    """Pictures of clips at one size."""

    store: Store
    digests: Mapping[str, str]
    """Clip id -> sha256 of the clip's pictures."""
    every: Mapping[str, int]
    """Clip id -> n: frames 0, n, 2 n ... are cached."""

    def count(self, row: ManifestRow) -> int:
        """Number of cached frames of a clip."""
        return -(-(row.frames or 0) // self.every[row.clip_id])

    def chosen(self, row: ManifestRow, places: Iterable[int]) -> list[Pictures]:
        """Read some cached frames, (1, ...) each, by their places in the cache; no others are read."""
        path = self.store.checked_blob(self.digests[row.clip_id])
        return [load_pictures(path, frames=slice(place, place + 1)) for place in places]

    def batches(self, row: ManifestRow) -> Iterator[Pictures]:
        """Read all cached frames in order, in batches: memory does not grow with the length of the clip."""
        path = self.store.checked_blob(self.digests[row.clip_id])
        for first in range(0, self.count(row), FRAMES_AT_ONCE):
            yield load_pictures(path, frames=slice(first, first + FRAMES_AT_ONCE))


def cache_clips(
    rows: Iterable[ManifestRow], encoder: VersionEncoder, *, side_px: int, per_clip: int
) -> CachedClips:
    """Cache the pictures of clips, except those that are cached already.

    Args:
        rows: published clips; repeated ones count once.
        encoder: encoder of the version.
        side_px: height and width of the pictures.
        per_clip: number of frames of a clip that the evaluation needs.

    Raises:
        RuntimeError: the videos of a clip could not be read.
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
    """The n of which every n-th frame is cached.

    It is a power of two, so that the clips fall into few groups, each of which is cached in one run.
    """
    if side_px <= WHOLE_TO_PX:
        return 1
    # the largest power of two n with frames / n >= least
    return 1 << max((frames // least).bit_length() - 1, 0)
