"""The pipelines on toy networks: 16 px pictures, 8x8 latents; and what a network was called with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from model.networks.autoencoder import AutoencoderSize, small_autoencoder
from model.networks.noise_schedule import NoiseSettings, noise_schedule
from model.networks.speech import untrained_network
from model.networks.speech_settings import UntrainedSize
from model.pipelines.pipeline_image import PortraitRGBDPipeline
from model.pipelines.pipeline_video import PortraitRGBDVideoPipeline
from model.training.masks import MaskSettings
from tests.model.tiny_steps import GIVEN, tiny_inpaint_step, tiny_joint_step, tiny_motion_step

SIDE_PX = 16
WINDOW = 5
"""Frames of a window, GIVEN of them known."""
CHUNK = WINDOW - GIVEN
HEARD = UntrainedSize(layers=2, width=8)


def tiny_vae():
    torch.manual_seed(7)
    return small_autoencoder(AutoencoderSize(widths=(8, 8), side_px=SIDE_PX)).eval()


def image_pipeline(*, inpaint: bool = True) -> PortraitRGBDPipeline:
    step = tiny_inpaint_step(masks=MaskSettings()) if inpaint else tiny_joint_step()
    if inpaint:
        # at step 0 the channels of what is given are silent
        nn.init.normal_(step.denoiser.conv_in.weight.data[:, 8:], std=0.2)
    return _quiet(PortraitRGBDPipeline(**step.networks(), **_shared(step)))


def video_pipeline(
    *, num_motion_frames: int = GIVEN, window_frames: int = WINDOW
) -> PortraitRGBDVideoPipeline:
    step = tiny_motion_step(num_motion_frames=num_motion_frames)
    pipeline = PortraitRGBDVideoPipeline(
        **step.networks(),
        **_shared(step),
        speech_network=untrained_network(HEARD),
        window_frames=window_frames,
        num_motion_frames=num_motion_frames,
    )
    return _quiet(pipeline)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rgb(batch: int = 1, *, seed: int = 0, side: int = SIDE_PX) -> Tensor:
    """(B, 3, H, W) in [0, 1]; squares, because to torch.rand's coarse floats x 2 - 1 would do no harm."""
    return torch.rand(batch, 3, side, side, generator=seeded(100 + seed)).square()


def codes(batch: int = 1, *, seed: int = 0) -> Tensor:
    """(B, H, W) in [-1, 1]."""
    return torch.rand(batch, SIDE_PX, SIDE_PX, generator=seeded(200 + seed)) * 2 - 1


def sound(samples: int, *, seed: int = 0) -> Tensor:
    """(S,) in [-1, 1]."""
    return torch.rand(samples, generator=seeded(300 + seed)) - 0.5


@dataclass
class Calls:
    """Of a module, in order."""

    first: list[Any] = field(default_factory=list)
    """First argument of each."""
    settings: list[dict[str, Any]] = field(default_factory=list)
    """Keyword arguments of each."""

    def __len__(self) -> int:
        return len(self.first)


@contextmanager
def watched(module: nn.Module) -> Iterator[Calls]:
    """The calls of a module while this is open."""
    calls = Calls()

    def note(_module, arguments, settings):
        calls.first.append(arguments[0])
        calls.settings.append(settings)

    hook = module.register_forward_pre_hook(note, with_kwargs=True)
    try:
        yield calls
    finally:
        hook.remove()


def _shared(step) -> dict[str, Any]:
    return {"vae": tiny_vae(), "prompt": step.prompt, "scheduler": noise_schedule(NoiseSettings())}


def _quiet(pipeline):
    pipeline.set_progress_bar_config(disable=True)
    return pipeline
