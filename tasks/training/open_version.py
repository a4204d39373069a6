"""What training reads of a dataset version: cached pictures and latents, and its speech network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from transformers import Wav2Vec2Model

from model.networks.speech import untrained_network
from model.networks.speech_settings import UntrainedSize
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
from tasks.weights.speech import SPEECH_FILES, load_speech_model


class PictureClips:
    """Cached pictures of one split's clips (model.training.autoencoder_step.PictureReader)."""

    def __init__(self, store: Store, rows: Sequence[ManifestRow], pictures: Mapping[str, str]) -> None:
        self._paths = [store.checked_blob(pictures[row.clip_id]) for row in rows]
        self._frames = [row.frames or 0 for row in rows]
        self.kinds = [row.kind for row in rows]

    def frames(self, clip: int) -> int:
        """Number of frames of a clip."""
        return self._frames[clip]

    def picture(self, clip: int, frame: int) -> Pictures:
        """One frame, (1, ...)."""
        return load_pictures(self._paths[clip], frames=slice(frame, frame + 1))


def cached_pictures(version: Version, profile: Profile, encoder: VersionEncoder) -> dict[str, str]:
    """Cache all frames at the profile's size: clip id -> blob of its pictures."""
    return encoder.pictures(version.rows, PictureSettings(side_px=profile.side_px))


def training_clips(
    version: Version, vae: Path, profile: Profile, encoder: VersionEncoder, *, splits: Sequence[Split]
) -> dict[Split, TrainingClips]:
    """Cache the latents of all clips once for this VAE, and open them by split; empty splits are left out."""
    pictures = cached_pictures(version, profile, encoder) if profile.autoencoder is not None else None
    settings = LatentSettings(side_px=profile.side_px, device=profile.encode_on)
    latents = encoder.latents(version.rows, vae, settings, pictures=pictures)
    return {
        split: TrainingClips(encoder.store, version, split=split, latents=latents)
        for split in splits
        if split_rows(version.rows, split)
    }


def speech_network(version: Version, store: Store) -> Wav2Vec2Model:
    """The network behind a version's speech features: a pipeline needs it to read new speech the same way.

    It comes from the store where the build was given weights, else from the settings of the random network.
    """
    models = version.lock.models
    if all(role in models for role in SPEECH_FILES):
        config, weights = (store.checked_blob(models[role]) for role in SPEECH_FILES)
        network, _ = load_speech_model(config, weights)
        return network
    stages: Any = version.lock.settings["stages"]
    return untrained_network(UntrainedSize.model_validate(stages["speech"]["untrained"]))
