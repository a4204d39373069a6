"""What a step of each diffusion stage does: noise in, networks, loss out.

One module holds all networks of a stage. A sample's loss depends on that sample and its seed alone, so
accumulating two batches is one batch of both, and the number of processes changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, cast

import torch
from diffusers import DDIMScheduler, ModelMixin, UNet2DConditionModel
from pydantic import Field
from torch import Tensor, nn

from model.networks.autoencoder import LATENT_CHANNELS
from model.networks.denoiser import INPAINT_LAYOUT, JOINT_LAYOUT, check_layout, unused_tail
from model.networks.motion import MotionFeatures, VideoDenoiser, freeze_all_but_motion, motion_features
from model.networks.noise_schedule import add_noise, loss_target
from model.networks.prompt import Prompt
from model.networks.reference import Features, Reference, install_reference_attention, reference_features
from model.networks.speech_adapter import Speech, SpeechAdapter
from model.samples.training_set import Sample
from model.settings import Settings
from model.training.masks import MaskSettings, draw_masks
from model.training.sample_noise import kept, noise_levels, sample_noise

MODALITIES = ("rgb", "depth")
Networks = dict[str, ModelMixin]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLoss:
    """The loss of a batch."""

    total: Tensor
    """Scalar to go down: the samples' mean."""
    parts: dict[str, Tensor]
    """By name, of each sample, (B,), without gradient."""
    level: Tensor | None
    """(B,) noise levels; None where a stage has none."""


class LossSettings(Settings):
    """Which conditions a sample's loss goes without: guidance needs a denoiser that can do without."""

    reference_dropout: float = Field(default=0.1, ge=0, le=1)
    """Share of samples without the reference."""
    speech_dropout: float = Field(default=0.1, ge=0, le=1)
    """Share without speech (motion stage)."""
    motion_dropout: float = Field(default=0.1, ge=0, le=1)
    """Share whose motion frames are the reference, as in a clip's first chunk (motion stage)."""


class JointStep(nn.Module):
    """Stage 1: the noise of RGB and depth together (paper 3.2)."""

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
        """Both networks train, but for the ReferenceNet's tail, which no loss depends on."""
        super().__init__()
        check_layout(denoiser, self.layout)
        check_layout(reference_net, ("z_rgb",))
        self.denoiser = install_reference_attention(denoiser).requires_grad_(True)
        self.reference_net = install_reference_attention(reference_net).requires_grad_(True)
        for name in unused_tail(reference_net):
            reference_net.get_parameter(name).requires_grad_(False)
        self.prompt = prompt
        self._schedule, self._loss = schedule, loss

    def networks(self) -> Networks:
        """By their names in a pipeline."""
        return {"denoiser": self.denoiser, "reference_net": self.reference_net}

    def forward(self, batch: Sample) -> StepLoss:
        """Loss of a batch of PairSet: rgb, depth and reference (B, 4, h, w), seed (B,)."""
        clean = torch.cat([batch["rgb"], batch["depth"]], dim=1)
        noise, level = _drawn(batch, clean)
        noisy = add_noise(self._schedule, clean, noise, level)
        made, given = self._task(batch, clean)
        prompt = self.prompt()
        features = reference_features(self.reference_net, batch["reference"], prompt)
        keep = kept(batch["seed"], "reference", dropout=self._loss.reference_dropout)
        said = self.denoiser(
            torch.cat([noisy, *given], dim=1),
            level,
            prompt,
            cross_attention_kwargs={"reference": _seen_by(features, keep)},
        ).sample
        loss = _step_loss(said, loss_target(self._schedule, clean, noise, level), made=made, level=level)
        return loss if keep.any() else _touching(features, loss)

    def _task(self, batch: Sample, clean: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Masks of what is made in each modality, (1 or B, 2, ...), and further inputs of the denoiser."""
        del batch
        return clean.new_ones(1, len(MODALITIES), 1, 1), ()


class InpaintStep(JointStep):
    """Stage 2: some is given, the rest is made of it (paper 4.1); the loss is over what is made."""

    layout: ClassVar[tuple[str, ...]] = INPAINT_LAYOUT

    def __init__(
        self,
        *,
        denoiser: UNet2DConditionModel,
        reference_net: UNet2DConditionModel,
        prompt: Prompt,
        schedule: DDIMScheduler,
        loss: LossSettings,
        masks: MaskSettings,
        train_reference_net: bool = True,
    ) -> None:
        """The joint stage's networks, with an inpaint denoiser, train on."""
        super().__init__(
            denoiser=denoiser,
            reference_net=reference_net,
            prompt=prompt,
            schedule=schedule,
            loss=loss,
        )
        self._masks = masks
        if not train_reference_net:
            self.reference_net.requires_grad_(False)

    def _task(self, batch: Sample, clean: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        masks = draw_masks(batch["seed"], (clean.shape[2], clean.shape[3]), settings=self._masks)
        made = torch.cat(masks, dim=1).to(clean.device)
        # INPAINT_LAYOUT: both masks, then both masked latents
        return made, (made, clean * (1 - made).repeat_interleave(LATENT_CHANNELS, dim=1))


class MotionStep(nn.Module):
    """Stage 3: windows of talking clips; motion modules and speech train (paper 4.2, 7.1, 7.2)."""

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
        """What the joint stage has learnt stays as it is."""
        super().__init__()
        check_layout(cast(UNet2DConditionModel, denoiser), JOINT_LAYOUT)
        check_layout(reference_net, ("z_rgb",))
        freeze_all_but_motion(denoiser)
        self.denoiser = denoiser
        self.reference_net = install_reference_attention(reference_net).requires_grad_(False)
        self.speech_adapter = speech_adapter.requires_grad_(True)
        self.prompt = prompt
        self._schedule, self._given_frames, self._loss = schedule, given_frames, loss

    def networks(self) -> Networks:
        """By their names in a pipeline."""
        return {
            "denoiser": self.denoiser,
            "reference_net": self.reference_net,
            "speech_adapter": self.speech_adapter,
        }

    def forward(self, batch: Sample) -> StepLoss:
        """Loss of a batch of WindowSet, on the frames after the given ones.

        rgb and depth (B, F, 4, h, w), reference (B, 4, h, w), speech (B, F, k, layers, D), seed (B,).
        """
        seeds, first = batch["seed"], self._given_frames
        clean = torch.cat([batch["rgb"][:, first:], batch["depth"][:, first:]], dim=2).transpose(1, 2)
        noise, level = _drawn(batch, clean)
        prompt = self.prompt()
        features, motion = self._known(batch, prompt)
        hears = kept(seeds, "speech", dropout=self._loss.speech_dropout)
        tokens = self.speech_adapter(batch["speech"][:, first:], hears)
        said = self.denoiser(
            add_noise(self._schedule, clean, noise, level),
            level,
            prompt,
            motion=motion,
            cross_attention_kwargs={
                "reference": _seen_by(
                    features, kept(seeds, "reference", dropout=self._loss.reference_dropout)
                ),
                "speech": Speech(adapter=self.speech_adapter, tokens=tokens),
            },
        ).sample
        target = loss_target(self._schedule, clean, noise, level)
        return _step_loss(said, target, made=clean.new_ones(1, len(MODALITIES), 1, 1, 1), level=level)

    @torch.no_grad()
    def _known(self, batch: Sample, prompt: Tensor) -> tuple[Features, MotionFeatures]:
        """What the ReferenceNet sees in the reference and in the motion frames, without noise."""
        reference, frames = batch["reference"], batch["rgb"][:, : self._given_frames]
        moves = kept(batch["seed"], "motion", dropout=self._loss.motion_dropout).to(frames.device)
        past = torch.where(moves[:, None, None, None, None], frames, reference[:, None])
        return (
            reference_features(self.reference_net, reference, prompt),
            motion_features(self.reference_net, past, prompt),
        )


def _drawn(batch: Sample, clean: Tensor) -> tuple[Tensor, Tensor]:
    """Noise like `clean` and levels (B,): paper's eq. 3 and 4, one level for RGB and depth."""
    noise = sample_noise(batch["seed"], shape=tuple(clean.shape[1:]))
    return noise.to(clean.device), noise_levels(batch["seed"]).to(clean.device)


def _seen_by(features: Features, keep: Tensor) -> Reference:
    # where all see it, nothing needs sorting out
    return Reference(features=features, keep=None if keep.all() else keep)


def _touching(features: Features, loss: StepLoss) -> StepLoss:
    """The same loss, with a gradient of zero for the ReferenceNet.

    Where a batch drops every reference none would reach it, and processes would wait for each other's.
    """
    nothing = torch.stack([tokens[:0].sum() for tokens in features.values()]).sum()
    return StepLoss(total=loss.total + nothing, parts=loss.parts, level=loss.level)


def _step_loss(said: Tensor, target: Tensor, *, made: Tensor, level: Tensor) -> StepLoss:
    """Mean square error over what is made: said and target (B, 8, ...), made (1 or B, 2, ...).

    A sample's loss is the mean over its made elements of both modalities, so that half a picture counts
    like a whole one. A part is the mean over one of them, 0 where that is given whole.
    """
    square = (said.float() - target.float()).square()
    error = torch.stack([half.mean(dim=1) for half in square.chunk(len(MODALITIES), dim=1)], dim=1)
    weight = made.expand_as(error)
    errors, areas = (error * weight).flatten(2).sum(dim=2), weight.flatten(2).sum(dim=2)
    total = (errors.sum(dim=1) / areas.sum(dim=1)).mean()
    means = (errors / areas.clamp(min=1)).detach()
    return StepLoss(total=total, parts=dict(zip(MODALITIES, means.unbind(dim=1), strict=True)), level=level)
