"""Encoding and decoding with a VAE; size and loss of the small one that replaces a pretrained VAE.

Depth estimation cannot be better than this VAE keeps depth, so depth weighs more than colour in its loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch
from diffusers import AutoencoderKL
from pydantic import NonNegativeFloat, PositiveInt
from torch import Tensor

from model.samples.depth_code import as_picture
from model.samples.pictures import Pictures
from model.settings import Record, Settings

LATENT_CHANNELS = 4
CPU_PASS_PIXELS = 256 * 256
"""Limit of pixels of several pictures in one pass through the VAE on a CPU."""


class AutoencoderSize(Settings):
    """Size of the small VAE; 64 px become latents of 16 x 16 x 4."""

    widths: tuple[PositiveInt, ...] = (16, 32, 64)
    """Channels of each level, multiples of 8; each level but the last halves height and width."""
    layers: PositiveInt = 1
    """Residual blocks of a level of the encoder; the decoder has one more."""
    side_px: PositiveInt = 64
    """Height and width of the training pictures."""


class AutoencoderWeights(Record):
    """Weights of the parts of the loss.

    The variance of the posterior is neither trained nor used: its noise is as large as the latents at the
    start and would cost a short training most of its depth.
    """

    rgb: NonNegativeFloat = 1.0
    """Mean absolute error of RGB in [-1, 1]."""
    edges: NonNegativeFloat = 1.0
    """Mean absolute error of the differences of neighbouring pixels, which penalises blur."""
    depth: NonNegativeFloat = 4.0
    """Mean absolute error of depth codes on the skin."""
    background: NonNegativeFloat = 1.0
    """Mean absolute error of depth codes off the skin."""
    size: NonNegativeFloat = 1e-4
    """Mean square of the latents, which keeps them bounded."""
    noise: NonNegativeFloat = 0.1
    """Standard deviation of the noise on the latents in training, relative to theirs: the decoder learns to
    ignore the noise that a denoiser leaves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoencoderLoss:
    """The loss and its unweighted parts, scalars."""

    total: Tensor
    rgb: Tensor
    edges: Tensor
    depth: Tensor
    background: Tensor
    size: Tensor


def small_autoencoder(size: AutoencoderSize) -> AutoencoderKL:
    """Make a VAE with random weights; its scaling factor is 1 until `fit_scaling_factor`."""
    # the classes of Stable Diffusion's VAE: pipelines need not know which one they have
    levels = len(size.widths)
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=size.widths,
        layers_per_block=size.layers,
        norm_num_groups=8,
        latent_channels=LATENT_CHANNELS,
        sample_size=size.side_px,
        scaling_factor=1.0,
    )


def encode(vae: AutoencoderKL, pictures: Tensor) -> Tensor:
    """Encode pictures (B, 3, H, W) in [-1, 1] -> latents (B, 4, h, w): the mean of the posterior, scaled."""
    means = [vae.encode(some).latent_dist.mean for some in _passes(pictures, factor=1)]
    return torch.cat(means).contiguous() * float(cast(Any, vae.config).scaling_factor)


def decode(vae: AutoencoderKL, latents: Tensor) -> Tensor:
    """Decode scaled latents (B, 4, h, w) -> pictures (B, 3, H, W), about [-1, 1]."""
    config = cast(Any, vae.config)
    factor = 2 ** (len(config.block_out_channels) - 1)
    unscaled = latents / config.scaling_factor
    return torch.cat([vae.decode(some).sample for some in _passes(unscaled, factor=factor)]).contiguous()


def autoencoder_loss(
    vae: AutoencoderKL, pictures: Pictures, *, weights: AutoencoderWeights, generator: torch.Generator
) -> AutoencoderLoss:
    """Reconstruction loss of RGB and depth codes, both through the same VAE in one pass.

    The three decoded channels of a depth code are averaged, as in use, so their differences cost nothing.
    """
    # one VAE for both modalities, as in the paper (section 3.2): depth is read as a grey picture
    both = torch.cat([pictures.rgb, as_picture(pictures.code)])
    latents = vae.encode(both).latent_dist.mean
    # relative to the latents' own scale, so that the VAE cannot escape the noise with larger latents
    noise = torch.randn(latents.shape, generator=generator).to(latents) * latents.detach().std()
    decoded = vae.decode(latents + weights.noise * noise).sample
    # the first half of the batch is RGB, the second depth
    rgb, code = decoded[: len(pictures)], decoded[len(pictures) :].mean(dim=1)
    skin = pictures.mask.float()
    code_error = (code - pictures.code).abs()
    edge_error = _edges(rgb - pictures.rgb) + _edges((code - pictures.code)[:, None] * skin[:, None])
    parts = {
        "rgb": (rgb - pictures.rgb).abs().mean(),
        "edges": edge_error,
        "depth": _mean_where(code_error, skin),
        "background": _mean_where(code_error, 1 - skin),
        "size": (latents**2).mean(),
    }
    total = sum((getattr(weights, name) * part for name, part in parts.items()), torch.zeros(()))
    return AutoencoderLoss(total=total, **{name: part.detach() for name, part in parts.items()})


def fit_scaling_factor(vae: AutoencoderKL, latents: Tensor) -> float:
    """Set the VAE's scaling factor so that these unscaled latents (of RGB and depth) get unit variance."""
    factor = 1 / latents.double().std().item()
    vae.register_to_config(scaling_factor=factor)
    return factor


def _passes(batch: Tensor, *, factor: int) -> tuple[Tensor, ...]:
    """Split a batch (B, C, H, W) into passes through the VAE that are fast on a CPU; elsewhere one pass.

    On a CPU the maps of the finest level should stay in the cache, and convolutions of few channels are
    faster with channels last. `factor`: ratio of the size of pictures to H and W.
    """
    if batch.device.type != "cpu":
        return (batch,)
    pixels = batch.shape[2] * batch.shape[3] * factor**2
    ordered = batch.contiguous(memory_format=torch.channels_last)
    return torch.split(ordered, max(1, CPU_PASS_PIXELS // pixels))


def _edges(error: Tensor) -> Tensor:
    """Mean absolute difference of neighbours in (B, C, H, W), vertical and horizontal."""
    return error.diff(dim=2).abs().mean() + error.diff(dim=3).abs().mean()


def _mean_where(error: Tensor, weight: Tensor) -> Tensor:
    return (error * weight).sum() / weight.sum().clamp(min=1)
