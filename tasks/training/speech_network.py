"""The speech network behind a version's features: a pipeline needs it to hear new speech the same way."""

from __future__ import annotations

from typing import Any

from transformers import Wav2Vec2Model

from model.networks.speech import untrained_network
from model.networks.speech_settings import UntrainedSize
from tasks.store.blobs import Store
from tasks.store.versions import Version
from tasks.weights.speech import SPEECH_FILES, load_speech_model


def speech_network(version: Version, store: Store) -> Wav2Vec2Model:
    """From the store where the build was given weights, else the untrained one of its settings."""
    models = version.lock.models
    if all(role in models for role in SPEECH_FILES):
        config, weights = (store.checked_blob(models[role]) for role in SPEECH_FILES)
        network, _ = load_speech_model(config, weights)
        return network
    stages: Any = version.lock.settings["stages"]
    return untrained_network(UntrainedSize.model_validate(stages["speech"]["untrained"]))
