"""Stages 1 and 2, on single frames: joint learning of RGB and depth, and inpainting (paper 3.2, 3.3, 4.1)."""

from __future__ import annotations

from typing import ClassVar

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from torch import Tensor

from model.networks.autoencoder import LATENT_CHANNELS
from model.networks.denoiser import INPAINT_LAYOUT, JOINT_LAYOUT, check_layout, inpaint_denoiser, unused_tail
from model.networks.noise_schedule import add_noise, loss_target
from model.networks.prompt import Prompt
from model.networks.reference import Features, Reference, install_reference_attention, reference_features
from model.samples.sample_order import MixSettings
from model.samples.training_set import Sample
from model.settings import Settings
from model.training.denoising import (
    MODALITIES,
    RGBD_CHANNELS,
    Corruption,
    DiffusionStep,
    LossSettings,
    Networks,
    StepLoss,
    denoising_loss,
    draw_corruption,
)
from model.training.masks import MaskSettings, draw_masks
from model.training.stage_start import StageStart
from model.training.trainer_settings import TrainerSettings


class DiffusionStageSettings(Settings):
    """Settings of the joint stage; the later stages add to them."""

    trainer: TrainerSettings
    """Steps, batch, learning rate and the other settings of the training loop."""
    mix: MixSettings = MixSettings()
    """Mix of studio captures and wild clips; the motion stage has wild clips alone."""
    loss: LossSettings = LossSettings()
    """Dropout of conditions."""


class InpaintSettings(DiffusionStageSettings):
    """Settings of the inpaint stage, which starts from the joint stage's networks."""

    masks: MaskSettings = MaskSettings()
    """Which parts of RGB and depth are given and which are generated."""
    train_reference_net: bool = True
    """Off: the ReferenceNet stays as the joint stage left it, and a step costs about half."""


class JointStep(DiffusionStep):
    """Joint learning: one denoiser predicts the noise of RGB and depth together (paper 3.2, eq. 5)."""

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
        """Train both networks, except the ReferenceNet's tail, on which no loss depends."""
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
        """The networks by their names in a pipeline."""
        return {"denoiser": self.denoiser, "reference_net": self.reference_net}

    def corruption(self, batch: Sample) -> Corruption:
        """Draw what is random; reads the seeds and the shapes of the batch, not its values."""
        seeds, (height, width) = batch["seed"], batch["rgb"].shape[2:]
        return draw_corruption(
            seeds,
            shape=(RGBD_CHANNELS, height, width),
            mask=self._mask(seeds, (height, width)),
            dropout={"reference": self._loss.reference_dropout},
        )

    def loss(self, batch: Sample, corruption: Corruption) -> StepLoss:
        """Loss of a batch of PairSet: rgb, depth and reference (B, 4, h, w), seed (B,)."""
        # JOINT_LAYOUT: latents of RGB and of depth, concatenated along the channels (paper 3.2)
        clean = torch.cat([batch["rgb"], batch["depth"]], dim=1)
        noise, level, mask = (
            drawn.to(clean.device) for drawn in (corruption.noise, corruption.level, corruption.mask)
        )
        noisy, prompt = add_noise(self._schedule, clean, noise, level), self.prompt()
        # the reference gives the identity: its features enter the denoiser's self-attentions (paper 3.2)
        features = reference_features(self.reference_net, batch["reference"], prompt)
        keep = corruption.keep["reference"]
        prediction = self.denoiser(
            torch.cat([noisy, *self._conditions(clean, mask)], dim=1),
            level,
            prompt,
            cross_attention_kwargs={"reference": Reference(features=features, keep=keep)},
        ).sample
        target = loss_target(self._schedule, clean, noise, level)
        loss = denoising_loss(prediction, target, mask=mask, level=level)
        return loss if keep is None or keep.any() else _touching(features, loss)

    def _mask(self, seeds: Tensor, size: tuple[int, int]) -> Tensor:
        """What is generated, (1 or B, 2, ...): everything."""
        del seeds, size
        return torch.ones(1, len(MODALITIES), 1, 1)

    def _conditions(self, clean: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        """Inputs of the denoiser beside the noisy latents: none."""
        del clean, mask
        return ()


class InpaintStep(JointStep):
    """Inpainting: a part is given, the rest is generated to fit it (paper 4.1)."""

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
        """Train the inpaint denoiser and, if asked for, the ReferenceNet."""
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

    def _mask(self, seeds: Tensor, size: tuple[int, int]) -> Tensor:
        return torch.cat(draw_masks(seeds, size, settings=self._masks), dim=1)

    def _conditions(self, clean: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        # INPAINT_LAYOUT: both masks, then both masked latents, of which the given part is left
        return mask, clean * (1 - mask).repeat_interleave(LATENT_CHANNELS, dim=1)


def joint_step(start: StageStart, settings: DiffusionStageSettings) -> JointStep:
    """Stage 1 on the networks of step 0."""
    return JointStep(
        denoiser=start.denoiser,
        reference_net=start.reference_net,
        prompt=start.prompt,
        schedule=start.schedule,
        loss=settings.loss,
    )


def inpaint_step(start: StageStart, settings: InpaintSettings) -> InpaintStep:
    """Stage 2 on the joint stage's networks, with a widened denoiser."""
    return InpaintStep(
        denoiser=inpaint_denoiser(start.denoiser),
        reference_net=start.reference_net,
        prompt=start.prompt,
        schedule=start.schedule,
        loss=settings.loss,
        masks=settings.masks,
        train_reference_net=settings.train_reference_net,
    )


def _touching(features: Features, loss: StepLoss) -> StepLoss:
    """Give the ReferenceNet a gradient of zero where a batch drops every reference.

    Without it no gradient would reach the ReferenceNet, and processes would wait for each other's.
    """
    nothing = torch.stack([tokens[:0].sum() for tokens in features.values()]).sum()
    return StepLoss(total=loss.total + nothing, parts=loss.parts, level=loss.level)
