"""The steps of all stages on toy networks, and batches for them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from model.networks.denoiser import inpaint_denoiser, joint_denoiser, reference_net
from model.networks.motion import untrained_motion_adapter, video_denoiser
from model.networks.noise_schedule import NoiseSettings, noise_schedule
from model.networks.prompt import Prompt
from model.networks.speech_adapter import SpeechAdapter
from model.training.denoising import LossSettings
from model.training.image_step import InpaintStep, JointStep
from model.training.masks import MaskSettings
from model.training.motion_step import MotionStep
from tests.model.tiny_networks import tiny_unet

KEEP_ALL = LossSettings(reference_dropout=0, speech_dropout=0, motion_dropout=0)
GIVEN = 2
FRAMES = 5


def tiny_joint_step(*, loss: LossSettings = KEEP_ALL, noise: NoiseSettings | None = None) -> JointStep:
    return JointStep(
        denoiser=joint_denoiser(lively(tiny_unet())),
        reference_net=reference_net(tiny_unet(1)),
        prompt=tiny_prompt(),
        schedule=noise_schedule(noise or NoiseSettings()),
        loss=loss,
    )


def tiny_inpaint_step(
    *,
    masks: MaskSettings,
    loss: LossSettings = KEEP_ALL,
    noise: NoiseSettings | None = None,
    train_reference_net: bool = True,
) -> InpaintStep:
    return InpaintStep(
        denoiser=inpaint_denoiser(joint_denoiser(lively(tiny_unet()))),
        reference_net=reference_net(tiny_unet(1)),
        prompt=tiny_prompt(),
        schedule=noise_schedule(noise or NoiseSettings()),
        loss=loss,
        masks=masks,
        train_reference_net=train_reference_net,
    )


def tiny_motion_step(
    *, loss: LossSettings = KEEP_ALL, silent: bool = False, num_motion_frames: int = GIVEN
) -> MotionStep:
    """silent: as at step 0. Otherwise motion and speech say something, as they do after training."""
    torch.manual_seed(5)
    joint = joint_denoiser(lively(tiny_unet()))
    video = video_denoiser(joint, untrained_motion_adapter(joint), zero_output=silent)
    adapter = SpeechAdapter.for_denoiser(video, layers=2, layer_width=8, hidden_width=16, tokens=4)
    if not silent:
        for attention in adapter.attentions.values():
            nn.init.normal_(attention.to_out[0].weight, std=0.3)
    return MotionStep(
        denoiser=video,
        reference_net=reference_net(tiny_unet(1)),
        speech_adapter=adapter,
        prompt=tiny_prompt(),
        schedule=noise_schedule(NoiseSettings()),
        num_motion_frames=num_motion_frames,
        loss=loss,
    )


def tiny_prompt() -> Prompt:
    return Prompt.from_embedding(torch.randn(1, 2, 16, generator=torch.Generator().manual_seed(1)))


def lively(unet):
    """Random attentions say next to nothing; here they say enough to be noticed in a loss."""
    for name, weight in unet.named_parameters():
        if name.endswith(("attn1.to_out.0.weight", "attn1.to_v.weight", ".proj_out.weight")):
            weight.data.mul_(3)
    return unet


def pairs(seeds: list[int]) -> dict[str, Tensor]:
    """As PairSet makes them; each sample's pictures depend on its seed."""
    return _batch(seeds, rgb=(4, 8, 8), depth=(4, 8, 8), reference=(4, 8, 8))


def windows(seeds: list[int], frames: int = FRAMES) -> dict[str, Tensor]:
    """As WindowSet makes them."""
    return _batch(
        seeds,
        rgb=(frames, 4, 8, 8),
        depth=(frames, 4, 8, 8),
        reference=(4, 8, 8),
        speech=(frames, 5, 2, 8),
    )


def take(batch: dict[str, Tensor], samples: list[int]) -> dict[str, Tensor]:
    """Some samples of a batch."""
    return {name: tensor[samples] for name, tensor in batch.items()}


def _batch(seeds: list[int], **shapes: tuple[int, ...]) -> dict[str, Tensor]:
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    batch = {
        name: torch.stack([torch.randn(shape, generator=generator) for generator in generators])
        for name, shape in shapes.items()
    }
    return batch | {"seed": torch.tensor(seeds)}
