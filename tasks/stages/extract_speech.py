"""Stage speech: wav2vec2 features of the sound of the published part."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from model.networks.speech_settings import UntrainedSize, WindowSettings
from model.settings import Settings
from tasks.media.video_files import SAMPLES_PER_FRAME, read_audio
from tasks.stage import Stage, StageInput, StageOutput

if TYPE_CHECKING:
    from transformers import Wav2Vec2Model


class SpeechSettings(Settings):
    """How speech features are computed; without weight files an untrained network is used."""

    untrained: UntrainedSize = UntrainedSize()
    """Size and seed of the untrained network that is used without weights."""
    windows: WindowSettings = WindowSettings()
    """How long sound is divided into windows."""


def run(stage_input: StageInput, settings: SpeechSettings) -> StageOutput:
    """Compute features (N, layers, width) float16 for the frames of the part."""
    # here and not above: a build that has nothing to do reads the settings and loads no network library
    import torch

    from model.networks.speech import speech_features
    from tasks.weights.speech import load_speech_model

    first, count = stage_input.values["first_frame"], stage_input.values["frames"]
    samples = read_audio(
        stage_input.blobs["audio"], start=first * SAMPLES_PER_FRAME, count=count * SAMPLES_PER_FRAME
    )
    if "speech_weights" in stage_input.blobs:
        network, name = load_speech_model(
            stage_input.blobs["speech_config"], stage_input.blobs["speech_weights"]
        )
    else:
        network, name = _untrained(settings.untrained), settings.untrained.label
    torch.set_num_threads(1)  # sums in another order would be other bits
    path = stage_input.scratch / "speech.npz"
    np.savez(path, features=speech_features(network, samples, windows=settings.windows))
    return StageOutput(files={"speech": path}, values={"speech_model": name})


@lru_cache(maxsize=1)
def _untrained(size: UntrainedSize) -> Wav2Vec2Model:
    from model.networks.speech import untrained_network

    return untrained_network(size)


STAGE = Stage(
    name="speech",
    version=2,
    run=run,
    settings_type=SpeechSettings,
    tools=("torch", "transformers", "numpy"),
)
