"""The networks of a profile: from pretrained folders, or of the same classes with random weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from diffusers import MotionAdapter, UNet2DConditionModel
from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from model.networks.denoiser import joint_denoiser, reference_net
from model.networks.motion import untrained_motion_adapter
from model.networks.pretrained import load_empty_prompt, load_motion_adapter, load_unet
from model.networks.prompt import Prompt
from model.networks.reference import install_reference_attention
from model.settings import Record, Settings


class UNetSize(Settings):
    """Size of UNets without pretrained weights, the same for denoiser and ReferenceNet."""

    widths: tuple[PositiveInt, ...] = (32, 96)
    """Channels of each level, multiples of 16."""
    attention_levels: tuple[NonNegativeInt, ...] = (1,)
    """Levels with attention, 0 = the finest; a level without it reads no reference and costs a fifth."""
    layers: PositiveInt = 1
    """Residual blocks of a level on the way down; there is one more on the way up."""
    head_width: PositiveInt = 32
    """Channels of an attention head."""
    prompt_width: PositiveInt = 32
    """Channels of the constant prompt, which is one token of zeros."""
    side: PositiveInt = 16
    """Height and width of the latents."""

    @model_validator(mode="after")
    def _has_its_levels(self) -> Self:
        levels = range(len(self.widths))
        if not self.attention_levels or not set(self.attention_levels) <= set(levels):
            raise ValueError(
                f"attention_levels {self.attention_levels} of {len(levels)} levels; "
                f"name at least one of {', '.join(map(str, levels))}"
            )
        return self


class Pretrained(Record):
    """Sources of pretrained weights: folders, or names on the Hub."""

    stable_diffusion: str = "stable-diffusion-v1-5/stable-diffusion-v1-5"
    """Any Stable Diffusion 1.x: unet/, vae/, and text_encoder/ + tokenizer/ or empty_prompt.safetensors."""
    motion_adapter: str = "guoyww/animatediff-motion-adapter-v1-5-2"
    """AnimateDiff's motion modules."""


class SpeechSize(Settings):
    """Size of the speech adapter; its input has the size of the version's speech features."""

    hidden_width: PositiveInt = 512
    """Channels between the layers of the projection."""
    tokens: PositiveInt = Field(default=32)
    """Number of context tokens for each frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JointNetworks:
    """The networks that the joint stage trains, and the prompt."""

    denoiser: UNet2DConditionModel
    reference_net: UNet2DConditionModel
    prompt: Prompt


def first_networks(source: UNetSize | Pretrained) -> JointNetworks:
    """Make the networks of step 0 of the joint stage; random weights come from torch's global generator."""
    if isinstance(source, Pretrained):
        unet = load_unet(source.stable_diffusion)
        prompt = Prompt.from_embedding(load_empty_prompt(source.stable_diffusion))
        return _joint(unet, unet, prompt)
    prompt = Prompt.from_embedding(torch.zeros(1, 1, source.prompt_width))
    return _joint(untrained_unet(source), untrained_unet(source), prompt)


def first_motion_adapter(source: UNetSize | Pretrained, denoiser: UNet2DConditionModel) -> MotionAdapter:
    """Make the motion modules of step 0 of the motion stage; random weights as in `first_networks`."""
    if isinstance(source, Pretrained):
        return load_motion_adapter(source.motion_adapter)
    return untrained_motion_adapter(denoiser)


def untrained_unet(size: UNetSize) -> UNet2DConditionModel:
    """Make a UNet with 4 -> 4 channels from Stable Diffusion's blocks, with random weights."""
    attends = [level in size.attention_levels for level in range(len(size.widths))]
    return UNet2DConditionModel(
        sample_size=size.side,
        block_out_channels=size.widths,
        layers_per_block=size.layers,
        cross_attention_dim=size.prompt_width,
        # the library's name for the number of heads
        attention_head_dim=tuple(max(width // size.head_width, 1) for width in size.widths),
        norm_num_groups=16,
        down_block_types=tuple("CrossAttnDownBlock2D" if attn else "DownBlock2D" for attn in attends),
        up_block_types=tuple("CrossAttnUpBlock2D" if attn else "UpBlock2D" for attn in reversed(attends)),
    )


def _joint(unet: UNet2DConditionModel, reference: UNet2DConditionModel, prompt: Prompt) -> JointNetworks:
    return JointNetworks(
        denoiser=install_reference_attention(joint_denoiser(unet)),
        reference_net=install_reference_attention(reference_net(reference)),
        prompt=prompt,
    )
