"""VAE files: found by role, opened as the same network, named where missing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from model.networks.autoencoder import AutoencoderSize, small_autoencoder
from tasks.weights.vae import VAE_FILES, find_vae, open_vae


def test_a_saved_vae_opens_as_itself(tmp_path: Path) -> None:
    torch.manual_seed(0)
    vae = small_autoencoder(AutoencoderSize(widths=(8, 8), side_px=16))
    vae.register_to_config(scaling_factor=0.37)
    vae.save_pretrained(tmp_path)
    files = find_vae(tmp_path)
    assert list(files) == list(VAE_FILES)
    opened = open_vae(files["vae_config"], files["vae_weights"])
    assert opened.config.scaling_factor == 0.37
    assert not opened.training
    for name, parameter in vae.state_dict().items():
        assert torch.equal(opened.state_dict()[name], parameter)


def test_missing_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match=r"lacks diffusion_pytorch_model\.safetensors"):
        find_vae(tmp_path)
