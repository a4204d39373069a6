"""The latents stage: means of the posterior, scaled, for RGB and depth, the same bytes again."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from model.networks.autoencoder import AutoencoderSize, small_autoencoder
from model.samples.depth_code import as_picture
from tasks.media.published_clip import clip_pictures
from tasks.stage import StageInput
from tasks.stages.cache_latents import LatentSettings, run
from tasks.weights.vae import find_vae
from tests.nodes import find_node
from tests.tasks.small_clips import write_clip

SIDE_PX = 16


@pytest.fixture(scope="module")
def vae_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    vae = small_autoencoder(AutoencoderSize(widths=(8, 8, 8), side_px=SIDE_PX))
    vae.register_to_config(scaling_factor=2.5)
    folder = tmp_path_factory.mktemp("vae")
    vae.save_pretrained(folder)
    return folder


def encode_clip(folder: Path, vae_folder: Path, frames: int, at_once: int = 8) -> Path:
    files, values = write_clip(folder / "clip", frames)
    given = StageInput(blobs={**files, **find_vae(vae_folder)}, values=values, scratch=folder)
    output = run(given, LatentSettings(side_px=SIDE_PX, frames_at_once=at_once))
    assert set(output.files) == set(find_node("latents").gives)
    return output.files["latents"]


def test_latents_are_scaled_posterior_means(tmp_path: Path, vae_folder: Path) -> None:
    stored = load_file(encode_clip(tmp_path, vae_folder, 3))
    vae = small_autoencoder(AutoencoderSize(widths=(8, 8, 8), side_px=SIDE_PX)).from_pretrained(vae_folder)
    files, values = write_clip(tmp_path / "again", 3)
    (pictures,) = clip_pictures(files, values, side_px=SIDE_PX, frames_at_once=9)
    with torch.inference_mode():
        for name, picture in (("rgb", pictures.rgb), ("depth", as_picture(pictures.code))):
            expected = 2.5 * vae.encode(picture).latent_dist.mean
            assert stored[name].dtype == torch.float16
            torch.testing.assert_close(stored[name].float(), expected, atol=2e-3, rtol=2e-3)
    assert stored["mask"].shape == (3, 4, 4)
    torch.testing.assert_close(stored["mask"].float().mean(), pictures.mask.float().mean(), atol=1e-3, rtol=0)


def test_the_same_bytes_again(tmp_path: Path, vae_folder: Path) -> None:
    one, two = (encode_clip(tmp_path / name, vae_folder, 5) for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


def test_frames_at_once_bound_memory_and_change_nothing(tmp_path: Path, vae_folder: Path) -> None:
    one, two = (load_file(encode_clip(tmp_path / str(at_once), vae_folder, 5, at_once)) for at_once in (2, 5))
    for name in one:
        torch.testing.assert_close(one[name], two[name], atol=1e-3, rtol=1e-3)
