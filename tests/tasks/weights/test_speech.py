"""wav2vec2 folders: found, refused by the name of what they lack, never unpickled."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from model.networks.speech import untrained_network
from model.networks.speech_settings import UntrainedSize
from tasks.weights.speech import find_speech_model, load_speech_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    untrained_network(UntrainedSize(layers=1)).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_a_folder_gives_its_two_files(folder: Path) -> None:
    files = find_speech_model(str(folder))
    assert {role: path.name for role, path in files.items()} == {
        "speech_config": "config.json",
        "speech_weights": "model.safetensors",
    }


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_the_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(FileNotFoundError, match=name):
        find_speech_model(str(folder))


def test_a_name_that_is_nowhere_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(FileNotFoundError, match="give a local folder"):
        find_speech_model("nobody/no-such-wav2vec2")


def test_weights_come_from_anywhere_and_the_name_from_the_configuration(folder: Path, tmp_path: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (tmp_path / "c0ffee").write_text(json.dumps(config | {"_name_or_path": "someone/wav2vec2-tiny"}))
    (folder / "model.safetensors").rename(tmp_path / "decade")
    network, name = load_speech_model(tmp_path / "c0ffee", tmp_path / "decade")
    assert name == "someone/wav2vec2-tiny (64 x 1)"
    assert not network.training
    expected = untrained_network(UntrainedSize(layers=1)).state_dict()
    assert all(torch.equal(network.state_dict()[key], value) for key, value in expected.items())


def test_incomplete_weights_are_refused(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    dropped = "encoder.layers.0.attention.k_proj.weight"
    save_file({k: v for k, v in weights.items() if k != dropped}, folder / "model.safetensors")
    files = find_speech_model(str(folder))
    with pytest.raises(ValueError, match="k_proj"):
        load_speech_model(files["speech_config"], files["speech_weights"])
