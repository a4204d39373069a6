"""Stages with random weights and made-up samples at a profile's sizes: for memory planning and benchmarks.

A profile with pretrained networks gets the classes of Stable Diffusion 1.5 and AnimateDiff, whose sizes are
the libraries' defaults; nothing is downloaded.
"""

from __future__ import annotations

import torch
from diffusers import UNet2DConditionModel

from model.networks.autoencoder import LATENT_CHANNELS
from model.networks.build_networks import Pretrained, UNetSize, untrained_unet
from model.networks.denoiser import joint_denoiser, reference_net
from model.networks.motion import untrained_motion_adapter
from model.networks.noise_schedule import noise_schedule
from model.networks.prompt import Prompt
from model.training.profiles import Profile
from model.training.stage_start import SPEECH_LAYERS, SPEECH_WIDTH, StageStart

PX_PER_LATENT = 8
"""Pixels along the side of one latent of Stable Diffusion's VAE."""
PROMPT_TOKENS = 77
"""Tokens of Stable Diffusion's prompt."""

Shapes = dict[str, tuple[int, ...]]
"""Name of a tensor in a sample -> its shape, without the batch."""


def untrained_start(profile: Profile) -> StageStart:
    """What a diffusion stage starts from, with random weights."""
    if isinstance(profile.networks, UNetSize):
        unet, tokens = untrained_unet(profile.networks), 1
    else:
        # Stable Diffusion 1.5; everything else is the default of the class
        unet, tokens = UNet2DConditionModel(sample_size=64, cross_attention_dim=768), PROMPT_TOKENS
    return StageStart(
        denoiser=joint_denoiser(unet),
        reference_net=reference_net(unet),
        prompt=Prompt.from_embedding(torch.zeros(1, tokens, unet.config["cross_attention_dim"])),
        schedule=noise_schedule(profile.noise),
        motion_adapter=untrained_motion_adapter,
        speech=profile.speech,
    )


def pair_shapes(profile: Profile) -> Shapes:
    """A sample of PairSet (joint and inpaint stage)."""
    latents = (LATENT_CHANNELS, _latent_side(profile), _latent_side(profile))
    return {"rgb": latents, "depth": latents, "reference": latents}


def window_shapes(profile: Profile) -> Shapes:
    """A sample of WindowSet (motion stage), with speech features of wav2vec2-base."""
    length, pair = profile.motion.length, pair_shapes(profile)
    frames = {name: (length.frames, *pair[name]) for name in ("rgb", "depth")}
    speech = (length.frames, length.speech, SPEECH_LAYERS, SPEECH_WIDTH)
    return {**pair, **frames, "speech": speech}


def _latent_side(profile: Profile) -> int:
    """Height and width of the latents."""
    networks = profile.networks
    return profile.side_px // PX_PER_LATENT if isinstance(networks, Pretrained) else networks.side
