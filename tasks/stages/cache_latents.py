"""Stage latents: VAE latents of the RGB and the depth codes of a clip, computed once for all training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
from diffusers import AutoencoderKL
from pydantic import PositiveInt
from safetensors.torch import save_file
from torch.nn import functional

from model.networks.autoencoder import encode
from model.samples.depth_code import as_picture
from model.samples.pictures import Pictures
from model.settings import Settings
from tasks.media.published_clip import clip_pictures, load_pictures
from tasks.stage import Stage, StageInput, StageOutput
from tasks.weights.vae import VAE_FILES, open_vae


class LatentSettings(Settings):
    """Size and device for encoding clips into latents."""

    side_px: PositiveInt = 64
    """Height and width of the pictures that the VAE reads, px; the VAE determines the size of the latents."""
    frames_at_once: PositiveInt = 8
    """Frames in one pass through the VAE; limits memory."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Device that the VAE runs on; part of the key, because the last bits of the results differ."""


def run(stage_input: StageInput, settings: LatentSettings) -> StageOutput:
    """Write rgb and depth (N, 4, h, w) and mask (N, h, w), the share of skin, as float16 safetensors.

    Latents are means of the posterior, times the VAE's scaling factor.
    """
    torch.set_num_threads(1)  # sums in another order would be other bits
    vae = open_vae(*(stage_input.blobs[role] for role in VAE_FILES)).to(settings.device)
    encoded = [_latents(vae, pictures, settings.device) for pictures in _batches(stage_input, settings)]
    path = stage_input.scratch / "latents.safetensors"
    save_file({name: torch.cat([part[name] for part in encoded]) for name in encoded[0]}, path)
    return StageOutput(files={"latents": path}, values={})


def _batches(stage_input: StageInput, settings: LatentSettings) -> Iterator[Pictures]:
    """Read the frames of the clip in order: from cached pictures if these are given, else from the videos."""
    if "pictures" in stage_input.blobs:
        return load_pictures(stage_input.blobs["pictures"]).batches(settings.frames_at_once)
    return clip_pictures(
        stage_input.blobs,
        stage_input.values,
        side_px=settings.side_px,
        frames_at_once=settings.frames_at_once,
    )


def _latents(vae: AutoencoderKL, pictures: Pictures, device: str) -> dict[str, torch.Tensor]:
    with torch.inference_mode():
        rgb = encode(vae, pictures.rgb.to(device)).cpu()
        depth = encode(vae, as_picture(pictures.code).to(device)).cpu()
    skin = functional.interpolate(pictures.mask[:, None].float(), size=rgb.shape[2:], mode="area")[:, 0]
    stored = {"rgb": rgb, "depth": depth, "mask": skin}
    return {name: maps.half().contiguous() for name, maps in stored.items()}


STAGE = Stage(
    name="latents",
    version=2,
    run=run,
    settings_type=LatentSettings,
    tools=("ffmpeg", "torch", "diffusers", "numpy", "safetensors"),
)
