"""Where a diffusion stage starts: networks, noise schedule, and sizes of what is new."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from diffusers import DDIMScheduler, MotionAdapter, UNet2DConditionModel

from model.networks.build_networks import SpeechSize
from model.networks.prompt import Prompt

SPEECH_LAYERS, SPEECH_WIDTH = 12, 768
"""Hidden layers of wav2vec2-base and their channels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStart:
    """Networks before a stage: at step 0 of the joint stage, or as the joint stage left them."""

    denoiser: UNet2DConditionModel
    """8 -> 8 channels."""
    reference_net: UNet2DConditionModel
    prompt: Prompt
    schedule: DDIMScheduler
    motion_adapter: Callable[[UNet2DConditionModel], MotionAdapter]
    """Makes motion modules that fit a denoiser."""
    speech: SpeechSize
    """Size of the speech adapter."""
    speech_layers: int = SPEECH_LAYERS
    """Hidden layers of the speech network."""
    speech_width: int = SPEECH_WIDTH
    """Channels of one of these layers."""
