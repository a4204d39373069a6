"""What a stage of a profile holds in memory: parameters and activations of its networks, without weights.

The networks are the real classes; pretrained ones have the sizes of Stable Diffusion 1.5 and AnimateDiff.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor

from model.networks.build_networks import Pretrained, UNetSize, untrained_unet
from model.networks.denoiser import inpaint_denoiser, joint_denoiser, reference_net
from model.networks.motion import (
    freeze_all_but_motion,
    motion_features,
    untrained_motion_adapter,
    video_denoiser,
)
from model.networks.reference import Reference, install_reference_attention, reference_features
from model.networks.speech_adapter import Speech, SpeechAdapter
from model.training.activation_memory import KeptTensors, kept_for_backward, like_cuda_autocast, shapes_only
from model.training.profiles import Profile

DiffusionStage = Literal["joint", "inpaint", "motion"]
"""Stages that train on cached latents: no VAE is in memory."""
LATENT_PX = 8
"""Height and width of what is one latent in Stable Diffusion's VAE."""
PROMPT_TOKENS = 77
"""Of Stable Diffusion's prompt."""
SPEECH_LAYERS, SPEECH_WIDTH = 12, 768
"""Of wav2vec2-base."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Activations:
    """Bytes that stand for backward, an upper bound."""

    step: int
    """Whatever the batch: copies of weights."""
    sample: int
    """More for each sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageMemory:
    """What a stage needs, whatever the recipe."""

    networks: dict[str, int]
    """Parameters of each network."""
    trained: int
    """Parameters that train; the others are frozen."""
    activations: dict[tuple[bool, bool], Activations]
    """By (bf16, checkpointing)."""

    @property
    def parameters(self) -> int:
        """Of all networks."""
        return sum(self.networks.values())


def stage_memory(stage: DiffusionStage, profile: Profile) -> StageMemory:
    """Count a stage's parameters and activations."""
    with shapes_only():
        networks, forward = stage_forward(stage, profile)
        counts = {name: list(network.parameters()) for name, network in networks.items()}
        return StageMemory(
            networks={name: sum(held.numel() for held in each) for name, each in counts.items()},
            trained=sum(held.numel() for each in counts.values() for held in each if held.requires_grad),
            activations={
                (bf16, checkpointing): _activations(networks, forward, bf16=bf16, checkpointing=checkpointing)
                for bf16 in (False, True)
                for checkpointing in (False, True)
            },
        )


def _activations(
    networks: dict[str, Any], forward: Callable[[int], Tensor], *, bf16: bool, checkpointing: bool
) -> Activations:
    """From one sample and two: what is kept is a step's share plus one for each sample.

    Which checkpointed block is the largest may change with the batch, so each share is its own largest.
    """

    def kept(samples: int) -> KeptTensors:
        def run() -> Tensor:
            if not bf16:
                return forward(samples)
            with like_cuda_autocast():
                return forward(samples)

        return kept_for_backward(networks, run, checkpointing=checkpointing)

    one, two = kept(1), kept(2)
    blocks = list(zip(one.blocks, two.blocks, strict=True))
    return Activations(
        step=2 * one.bytes - two.bytes + max((2 * first - second for first, second in blocks), default=0),
        sample=two.bytes - one.bytes + max((second - first for first, second in blocks), default=0),
    )


def stage_forward(stage: DiffusionStage, profile: Profile) -> tuple[dict[str, Any], Callable[[int], Tensor]]:
    """A stage's networks by name, and what a step of so many samples does with them, up to a loss."""
    plain = _unet(profile.networks)
    joint = joint_denoiser(plain)
    reader = install_reference_attention(reference_net(plain))
    if stage == "motion":
        return _motion(joint, reader, profile)
    denoiser = install_reference_attention(joint if stage == "joint" else inpaint_denoiser(joint))
    if stage == "inpaint" and not profile.inpaint.train_reference_net:
        reader.requires_grad_(False)
    channels, side, prompt = denoiser.config["in_channels"], latent_side(profile), _prompt(plain, profile)

    def forward(samples: int) -> Tensor:
        features = reference_features(reader, torch.zeros(samples, 4, side, side), prompt)
        said: Tensor = denoiser(
            torch.zeros(samples, channels, side, side),
            torch.zeros(samples, dtype=torch.long),
            prompt,
            cross_attention_kwargs={"reference": Reference(features=features)},
        ).sample
        return said.float().square().mean()

    return {"denoiser": denoiser, "reference_net": reader}, forward


def _motion(
    joint: UNet2DConditionModel, reader: UNet2DConditionModel, profile: Profile
) -> tuple[dict[str, Any], Callable[[int], Tensor]]:
    length, side, prompt = profile.motion.length, latent_side(profile), _prompt(joint, profile)
    video = video_denoiser(joint, untrained_motion_adapter(joint), zero_output=True)
    freeze_all_but_motion(video)
    reader.requires_grad_(False)
    adapter = SpeechAdapter.for_denoiser(
        video, window_frames=length.speech, **profile.speech.model_dump(include={"hidden_width", "tokens"})
    )
    frames = length.frames - length.given

    def forward(samples: int) -> Tensor:
        latents = torch.zeros(samples, length.given, 4, side, side)
        with torch.no_grad():
            features = reference_features(reader, latents[:, 0], prompt)
            motion = motion_features(reader, latents, prompt)
        tokens = adapter(torch.zeros(samples, frames, length.speech, SPEECH_LAYERS, SPEECH_WIDTH))
        said: Tensor = video(
            torch.zeros(samples, 8, frames, side, side),
            torch.zeros(samples, dtype=torch.long),
            prompt,
            motion=motion,
            cross_attention_kwargs={
                "reference": Reference(features=features),
                "speech": Speech(adapter=adapter, tokens=tokens),
            },
        ).sample
        return said.float().square().mean()

    return {"denoiser": video, "reference_net": reader, "speech_adapter": adapter}, forward


def _unet(networks: UNetSize | Pretrained) -> UNet2DConditionModel:
    if isinstance(networks, UNetSize):
        return untrained_unet(networks)
    # all else is the class's default
    return UNet2DConditionModel(sample_size=64, cross_attention_dim=768)


def latent_side(profile: Profile) -> int:
    """Height and width of the latents."""
    return profile.networks.side if isinstance(profile.networks, UNetSize) else profile.side_px // LATENT_PX


def _prompt(unet: UNet2DConditionModel, profile: Profile) -> Tensor:
    tokens = 1 if isinstance(profile.networks, UNetSize) else PROMPT_TOKENS
    return torch.zeros(1, tokens, unet.config["cross_attention_dim"])
