"""What a step of each stage does: noise in, networks, loss out. One module holds all networks of a stage.

A sample's loss depends on that sample and its seed alone. So accumulating over 2 is a batch of 2, and the
number of processes changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import torch
from diffusers import DDIMScheduler, ModelMixin, UNet2DConditionModel
from pydantic import BaseModel, Field, PositiveFloat
from torch import Tensor, nn

from model.denoiser import INPAINT_LAYOUT, JOINT_LAYOUT, LATENT_CHANNELS, check_layout
from model.motion import VideoDenoiser, freeze_all_but_motion, motion_features
from model.noise_schedule import add_noise, loss_target
from model.prompt import Prompt
from model.reference import Features, Reference, reference_features
from model.sample_noise import SampleNoise
from model.speech_adapter import Speech, SpeechAdapter
from model.training_masks import MaskSettings, draw_masks
from model.training_set import Sample

MODALITIES = ("rgb", "depth")


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLoss:
    """The loss of a batch."""

    total: Tensor
    """Scalar to go down: the mean over the samples."""
    parts: dict[str, Tensor]
    """By name, of each sample, (B,), without gradient."""
    level: Tensor | None
    """(B,) noise levels; None where a stage has none."""


class LossSettings(BaseModel, frozen=True, extra="forbid", use_attribute_docstrings=True):
    """What a stage's loss weighs, and which conditions are dropped, each sample alone."""

    depth_weight: PositiveFloat = 1.0
    """Of depth against RGB."""
    reference_dropout: float = Field(default=0.1, ge=0, le=1)
    """Share of samples without the reference: guidance needs a denoiser that can do without."""
    speech_dropout: float = Field(default=0.1, ge=0, le=1)
    """Share without speech, likewise."""
    motion_dropout: float = Field(default=0.1, ge=0, le=1)
    """Share whose motion frames are the reference, as in the first chunk of a clip."""


class JointStep(nn.Module):
    """Stage 1: the noise of RGB and depth together (paper 3.3)."""

    layout: ClassVar[tuple[str, ...]] = JOINT_LAYOUT

    def __init__(
        self,
        *,
        denoiser: UNet2DConditionModel,
        reference_net: UNet2DConditionModel,
        prompt: Prompt,
        schedule: DDIMScheduler,
        loss: LossSettings,
    ) -> None:
        """Both networks train; the ReferenceNet's unused tail stays frozen (model.denoiser.reference_net)."""
        super().__init__()
        check_layout(denoiser, self.layout)
        self.denoiser, self.reference_net, self.prompt = denoiser, reference_net, prompt
        self._schedule, self._loss = schedule, loss

    def networks(self) -> dict[str, ModelMixin]:
        """What is saved, by its name in a pipeline."""
        return {"denoiser": self.denoiser, "reference_net": self.reference_net}

    def forward(self, batch: Sample) -> StepLoss:
        """Loss of a batch of PairSet: rgb and depth (B, 4, h, w), reference (B, 4, h, w), seed (B,)."""
        clean = torch.cat([batch["rgb"], batch["depth"]], dim=1)
        drawn = _draw(batch, clean, self._schedule)
        keep = drawn.keep(self._loss.reference_dropout)
        noisy = add_noise(self._schedule, clean, drawn.noise, drawn.level)
        made, given = self._given(clean, drawn)
        prompt = self.prompt()
        features = reference_features(self.reference_net, batch["reference"], prompt)
        read = {"reference": Reference(features=features, keep=keep)}
        said = self.denoiser(
            torch.cat([noisy, *given], dim=1), drawn.level, prompt, cross_attention_kwargs=read
        ).sample
        target = loss_target(self._schedule, clean, drawn.noise, drawn.level)
        return _step_loss(said, target, made, drawn.level, depth_weight=self._loss.depth_weight)

    def _given(self, clean: Tensor, drawn: SampleNoise) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Mask of what is made, (B, 2, h, w) or (1, 2, 1, 1), and further input channels."""
        del drawn
        return clean.new_ones(1, 2, 1, 1), ()


class InpaintStep(JointStep):
    """Stage 2: what the masks say is made from what is given (paper 4.1).

    The loss is over what is made: the rest is known.
    """

    layout: ClassVar[tuple[str, ...]] = INPAINT_LAYOUT

    def __init__(self, *, masks: MaskSettings, **networks: Any) -> None:
        """The joint stage's networks with an inpaint denoiser; both train on."""
        super().__init__(**networks)
        self._masks = masks

    def _given(self, clean: Tensor, drawn: SampleNoise) -> tuple[Tensor, tuple[Tensor, ...]]:
        size = (clean.shape[2], clean.shape[3])
        rgb, depth = (
            mask.to(clean) for mask in draw_masks(drawn.generators, size=size, settings=self._masks)
        )
        masked = clean * (1 - torch.cat([rgb, depth], dim=1).repeat_interleave(LATENT_CHANNELS, dim=1))
        given = (rgb, depth, masked)
        return torch.cat([rgb, depth], dim=1), given


class MotionStep(nn.Module):
    """Stage 3: windows of talking clips; only motion modules and speech train (paper 4.2, 7.2)."""

    def __init__(
        self,
        *,
        denoiser: VideoDenoiser,
        reference_net: UNet2DConditionModel,
        speech_adapter: SpeechAdapter,
        prompt: Prompt,
        schedule: DDIMScheduler,
        given_frames: int,
        loss: LossSettings,
    ) -> None:
        """Freeze what the first stage has learnt."""
        super().__init__()
        check_layout(cast(UNet2DConditionModel, denoiser), JOINT_LAYOUT)
        freeze_all_but_motion(denoiser)
        reference_net.requires_grad_(False)
        self.denoiser, self.reference_net, self.prompt = denoiser, reference_net, prompt
        self.speech_adapter = speech_adapter
        self._schedule, self._given_frames, self._loss = schedule, given_frames, loss

    def networks(self) -> dict[str, ModelMixin]:
        """What is saved, by its name in a pipeline."""
        return {"denoiser": self.denoiser, "speech_adapter": self.speech_adapter}

    def forward(self, batch: Sample) -> StepLoss:
        """Loss of a batch of WindowSet, on the frames after the given ones."""
        first = self._given_frames
        frames = torch.cat([batch["rgb"], batch["depth"]], dim=2)[:, first:]
        clean = frames.transpose(1, 2)  # (B, 8, F, h, w)
        drawn = _draw(batch, clean, self._schedule)
        keep = drawn.keep(self._loss.reference_dropout)
        hears = drawn.keep(self._loss.speech_dropout)
        moves = drawn.keep(self._loss.motion_dropout)
        prompt = self.prompt()
        features, motion = self._known(batch, moves, prompt)
        tokens = self.speech_adapter(batch["speech"][:, first:], hears)
        said = self.denoiser(
            add_noise(self._schedule, clean, drawn.noise, drawn.level),
            drawn.level,
            prompt,
            motion=motion,
            cross_attention_kwargs={
                "reference": Reference(features=features, keep=keep),
                "speech": Speech(adapter=self.speech_adapter, tokens=tokens),
            },
        ).sample
        target = loss_target(self._schedule, clean, drawn.noise, drawn.level)
        made = clean.new_ones(1, 2, 1, 1, 1)
        return _step_loss(said, target, made, drawn.level, depth_weight=self._loss.depth_weight)

    @torch.no_grad()
    def _known(self, batch: Sample, moves: Tensor, prompt: Tensor) -> tuple[Features, Mapping[str, Tensor]]:
        """What the frozen ReferenceNet sees in the reference and in the motion frames."""
        reference = batch["reference"]
        still = reference[:, None].expand(-1, self._given_frames, -1, -1, -1)
        past = torch.where(moves[:, None, None, None, None], batch["rgb"][:, : self._given_frames], still)
        return (
            reference_features(self.reference_net, reference, prompt),
            motion_features(self.reference_net, past, prompt),
        )


def _draw(batch: Sample, clean: Tensor, schedule: DDIMScheduler) -> SampleNoise:
    levels = int(cast(Any, schedule).config.num_train_timesteps)
    return SampleNoise.draw(batch["seed"], shape=tuple(clean.shape[1:]), levels=levels, device=clean.device)


def _step_loss(said: Tensor, target: Tensor, made: Tensor, level: Tensor, *, depth_weight: float) -> StepLoss:
    """Mean square error where something is made; (B, 8, ...) with made broadcastable to (B, 2, ...).

    A part is a sample's mean over the made elements of its modality, 0 where that is given whole; the
    sample's loss is over its made elements of both, so that half a picture counts like a whole one.
    """
    square = (said.float() - target.float()).square()
    channels = (len(said), len(MODALITIES), LATENT_CHANNELS)
    by_modality = square.reshape(*channels, *square.shape[2:]).mean(dim=2)
    weight = made.float().expand_as(by_modality)
    error = (by_modality * weight).flatten(2).sum(dim=2)
    area = weight.flatten(2).sum(dim=2)
    scale = error.new_tensor([1.0, depth_weight])
    total = ((error * scale).sum(dim=1) / (area * scale).sum(dim=1)).mean()
    means = (error / area.clamp(min=1)).detach()
    return StepLoss(total=total, parts=dict(zip(MODALITIES, means.unbind(dim=1), strict=True)), level=level)
