"""The real classes at toy size: a full step fits in a second on one core."""

from __future__ import annotations

import torch
from diffusers import UNet2DConditionModel


def tiny_unet(seed: int = 0) -> UNet2DConditionModel:
    """4 -> 4 channels, 8x8 latents, two resolutions, attention at the first."""
    torch.manual_seed(seed)
    return UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(32, 64),
        layers_per_block=1,
        cross_attention_dim=16,
        attention_head_dim=8,
        norm_num_groups=8,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    )


def inputs(channels: int, batch: int = 2) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Noisy latents, noise levels and prompt."""
    generator = torch.Generator().manual_seed(1)
    latents = torch.randn(batch, channels, 8, 8, generator=generator)
    prompt = torch.randn(1, 2, 16, generator=generator).expand(batch, -1, -1)
    return latents, torch.arange(batch) * 400 + 50, prompt
