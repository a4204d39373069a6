"""The speech stage: features of the published part, with the untrained network or with files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.networks.speech import speech_features, untrained_network
from model.networks.speech_settings import UntrainedSize, WindowSettings
from tasks.media.ffmpeg_tool import MediaFileError
from tasks.media.video_files import write_audio
from tasks.stage import StageInput, StageOutput
from tasks.stages.extract_speech import SpeechSettings, run
from tasks.weights.speech import find_speech_model
from tests.nodes import find_node

SOUND = (np.random.default_rng(0).normal(size=40 * 640) * 2000).astype(np.int16)


def extract(folder: Path, first: int, frames: int, **blobs: Path) -> StageOutput:
    folder.mkdir()
    write_audio(folder / "audio.wav", SOUND)
    values: dict[str, Any] = {"first_frame": first, "frames": frames}
    given = StageInput(blobs={"audio": folder / "audio.wav", **blobs}, values=values, scratch=folder)
    return run(given, SpeechSettings())


def features(output: StageOutput) -> np.ndarray:
    with np.load(output.files["speech"]) as arrays:
        return arrays["features"]


def test_the_features_are_of_the_parts_sound(tmp_path: Path) -> None:
    output = extract(tmp_path / "part", 7, 20)
    expected = speech_features(
        untrained_network(UntrainedSize()), SOUND[7 * 640 : 27 * 640], windows=WindowSettings()
    )
    np.testing.assert_array_equal(features(output), expected)
    assert output.values == {"speech_model": "untrained wav2vec2 (seed 0, 64 x 2)"}
    assert set(output.files) == set(find_node("speech").gives)


def test_the_same_bytes_again(tmp_path: Path) -> None:
    one, two = (extract(tmp_path / name, 0, 40) for name in ("one", "two"))
    assert one.files["speech"].read_bytes() == two.files["speech"].read_bytes()


def test_files_of_the_hubs_format_are_used(tmp_path: Path) -> None:
    network = untrained_network(UntrainedSize(layers=3, seed=5))
    network.save_pretrained(tmp_path / "wav2vec2")
    output = extract(tmp_path / "part", 0, 20, **find_speech_model(str(tmp_path / "wav2vec2")))
    expected = speech_features(network, SOUND[: 20 * 640], windows=WindowSettings())
    np.testing.assert_array_equal(features(output), expected)
    assert output.values["speech_model"].endswith("(64 x 3)")
    assert "untrained" not in output.values["speech_model"]


@pytest.mark.parametrize(("first", "frames"), [(30, 20), (0, 41)])
def test_sound_that_ends_too_early_is_an_error(tmp_path: Path, first: int, frames: int) -> None:
    with pytest.raises(MediaFileError, match="need"):
        extract(tmp_path / "part", first, frames)
