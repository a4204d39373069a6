"""A dataset version opened for training: its rows, its cached pictures and latents, and what to say of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from model.samples.manifest import ManifestRow
from model.samples.pictures import Pictures
from model.training.profiles import Profile
from tasks.dataset.encode_version import VersionEncoder
from tasks.dataset.read_version import Split, TrainingClips, split_rows
from tasks.media.published_clip import load_pictures
from tasks.stages.cache_latents import LatentSettings
from tasks.stages.cache_pictures import PictureSettings
from tasks.store.blobs import Store
from tasks.store.versions import Version


class PictureClips:
    """Cached pictures of one split's clips (model.training.autoencoder_step.PictureReader)."""

    def __init__(self, store: Store, rows: Sequence[ManifestRow], pictures: Mapping[str, str]) -> None:
        self._paths = [store.checked_blob(pictures[row.clip_id]) for row in rows]
        self._frames = [row.frames or 0 for row in rows]
        self.kinds = [row.kind for row in rows]

    def frames(self, clip: int) -> int:
        """How many a clip has."""
        return self._frames[clip]

    def picture(self, clip: int, frame: int) -> Pictures:
        """One of them, (1, ...)."""
        return load_pictures(self._paths[clip], frames=slice(frame, frame + 1))


def cached_pictures(version: Version, profile: Profile, encoder: VersionEncoder) -> dict[str, str]:
    """Clip id -> pictures at the profile's size, every frame."""
    return encoder.pictures(version.rows, PictureSettings(side_px=profile.side_px))


def training_clips(
    version: Version, vae: Path, profile: Profile, encoder: VersionEncoder, *, splits: Sequence[Split]
) -> dict[Split, TrainingClips]:
    """Latents of all clips, cached once for this VAE, opened by split; a split without clips is left out."""
    pictures = cached_pictures(version, profile, encoder) if profile.autoencoder is not None else None
    settings = LatentSettings(side_px=profile.side_px, device=profile.encode_on)
    latents = encoder.latents(version.rows, vae, settings, pictures=pictures)
    return {
        split: TrainingClips(encoder.store, version, split=split, latents=latents)
        for split in splits
        if split_rows(version.rows, split)
    }
