"""Steps of Moore-AnimateAnyone's stage 1, from its own folder and in its own environment.

PEER_PYTHON -m benchmarks.peer_step FOLDER train|sample SIDE BATCH    (started by benchmarks.training_speed)

Its networks and its reference attention, driven as its train_stage_1.py and pipeline_pose2img.py drive them,
in float32 on CPU. Left out because the other side has nothing like it: pose guider and CLIP image encoder;
and the tenth of its steps that go without a reference. So every step here is one with a reference.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, NamedTuple

import torch
from diffusers import AutoencoderKL, DDIMScheduler
from torch import Tensor, nn

from benchmarks.measured_steps import (
    BETAS,
    GUIDANCE,
    LEARNING_RATE,
    MAX_GRAD_NORM,
    WEIGHT_DECAY,
    Size,
    Work,
    serve,
)

LATENT_SCALE = 0.18215
SCHEDULE = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "steps_offset": 1,
    "clip_sample": False,
    "rescale_betas_zero_snr": True,
    "timestep_spacing": "trailing",
    "prediction_type": "v_prediction",
}
"""configs/train/stage1.yaml with enable_zero_snr."""


class Networks(NamedTuple):
    """With the two halves of the reference attention."""

    reference: Any
    denoiser: Any
    writer: Any
    reader: Any

    @property
    def parameters(self) -> int:
        """Of both UNets."""
        return sum(held.numel() for unet in self[:2] for held in unet.parameters())


def networks(size: Size, *, guided: bool) -> Networks:
    """ReferenceNet and denoiser with the peer's attention control in between."""
    shared = {
        "sample_size": size.side,
        "block_out_channels": size.widths,
        "layers_per_block": size.layers,
        "cross_attention_dim": size.prompt_width,
        "attention_head_dim": size.heads,
        "norm_num_groups": size.groups,
    }
    reference = import_module("src.models.unet_2d_condition").UNet2DConditionModel(**shared)
    denoiser = import_module("src.models.unet_3d").UNet3DConditionModel(
        **shared, use_motion_module=False, unet_use_temporal_attention=False
    )
    control = import_module("src.models.mutual_self_attention").ReferenceAttentionControl
    common = {
        "do_classifier_free_guidance": guided,
        "fusion_blocks": "full",
        "batch_size": size.batch,
    }
    writer = control(reference, mode="write", **common)
    reader = control(denoiser, mode="read", **common)
    return Networks(reference, denoiser, writer, reader)


def training(size: Size) -> Work:
    """Pictures in, weights changed: both pictures are encoded in every step, as its script does."""
    nets, vae = networks(size, guided=False), autoencoder(size)
    for name, held in nets.reference.named_parameters():
        held.requires_grad_("up_blocks.3" not in name)
    trained = [held for unet in nets[:2] for held in unet.parameters() if held.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=LEARNING_RATE, betas=BETAS, weight_decay=WEIGHT_DECAY)
    schedule = DDIMScheduler(**SCHEDULE)
    target_picture, reference_picture = (pictures(size) for _ in range(2))
    prompt = torch.randn(size.batch, 1, size.prompt_width)

    def step() -> None:
        latents, seen = encode(vae, target_picture)[:, :, None], encode(vae, reference_picture)
        noise = torch.randn_like(latents)
        level = torch.randint(0, 1000, (size.batch,))
        noisy = schedule.add_noise(latents, noise, level)
        target = schedule.get_velocity(latents, noise, level)
        nets.reference(seen, torch.zeros_like(level), encoder_hidden_states=prompt, return_dict=False)
        # its own default is float16
        nets.reader.update(nets.writer, dtype=torch.float32)
        said = nets.denoiser(noisy, level, encoder_hidden_states=prompt).sample
        torch.autograd.backward(nn.functional.mse_loss(said, target))
        nn.utils.clip_grad_norm_(trained, MAX_GRAD_NORM)
        optimizer.step()
        optimizer.zero_grad()
        nets.reader.clear()
        nets.writer.clear()

    return Work(step=step, parameters=nets.parameters, trained=sum(held.numel() for held in trained))


def sampling(size: Size) -> Work:
    """One step of guided denoising; the reference is read once, beforehand."""
    nets, schedule = networks(size, guided=True), DDIMScheduler(**SCHEDULE)
    schedule.set_timesteps(1)
    prompt = torch.randn(size.batch, 1, size.prompt_width)
    prompts = torch.cat([torch.zeros_like(prompt), prompt])
    seen = torch.randn(size.batch, 4, size.side, size.side)
    noise = torch.randn(size.batch, 4, 1, size.side, size.side)
    with torch.no_grad():
        nets.reference(seen.repeat(2, 1, 1, 1), torch.zeros(()), encoder_hidden_states=prompts)
        nets.reader.update(nets.writer, dtype=torch.float32)

    @torch.no_grad()
    def step() -> None:
        level = schedule.timesteps[0]
        latents = schedule.scale_model_input(torch.cat([noise] * 2), level)
        said = nets.denoiser(latents, level, encoder_hidden_states=prompts, return_dict=False)[0]
        without, with_reference = said.chunk(2)
        schedule.step(without + GUIDANCE * (with_reference - without), level, noise)

    return Work(step=step, parameters=nets.parameters)


def autoencoder(size: Size) -> AutoencoderKL:
    """Stable Diffusion's, at reduced width."""
    levels = len(size.vae_widths)
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=size.vae_widths,
        layers_per_block=size.layers,
        norm_num_groups=size.vae_groups,
        latent_channels=4,
    ).requires_grad_(False)


@torch.no_grad()
def encode(vae: AutoencoderKL, batch: Tensor) -> Tensor:
    """Latents (B, 4, h, w) of pictures (B, 3, H, W)."""
    latents: Tensor = vae.encode(batch).latent_dist.sample() * LATENT_SCALE
    return latents


def pictures(size: Size) -> Tensor:
    """(B, 3, H, W)."""
    return torch.rand(size.batch, 3, size.side_px, size.side_px) * 2 - 1


def prepare(kind: str, size: Size) -> Work:
    """Of a kind."""
    return {"train": training, "sample": sampling}[kind](size)


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    serve(prepare)
