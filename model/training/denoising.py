"""What all diffusion steps share: how a batch is corrupted, and the loss of a prediction.

Whatever is random in a step is drawn first, on the CPU, from the samples' seeds (Corruption); the rest of the
step is a function of tensors. So a sample's loss depends on that sample and its seed alone: accumulating two
batches equals one batch of both, and the number of processes changes nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from diffusers import ModelMixin
from pydantic import Field
from torch import Tensor, nn

from model.networks.autoencoder import LATENT_CHANNELS
from model.samples.training_set import Sample
from model.settings import Settings
from model.training.sample_noise import kept, noise_levels, sample_noise

MODALITIES = ("rgb", "depth")
RGBD_CHANNELS = LATENT_CHANNELS * len(MODALITIES)
"""Channels of the latents of RGB and depth together."""
Networks = dict[str, ModelMixin]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLoss:
    """The loss of a batch."""

    total: Tensor
    """Scalar to minimise: the mean over the samples."""
    parts: dict[str, Tensor]
    """Name -> loss of each sample, (B,), without gradient."""
    level: Tensor | None
    """Noise levels (B,); None for a stage without noise."""


class LossSettings(Settings):
    """Dropout of conditions.

    Classifier-free guidance (Ho and Salimans 2022, arXiv 2207.12598) needs a denoiser that works without.
    """

    reference_dropout: float = Field(default=0.1, ge=0, le=1)
    """Share of samples without the reference."""
    speech_dropout: float = Field(default=0.1, ge=0, le=1)
    """Share of samples without speech (motion stage)."""
    motion_dropout: float = Field(default=0.1, ge=0, le=1)
    """Share of samples whose motion frames are copies of the reference, as in the first chunk of a clip
    (motion stage)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Corruption:
    """Everything random in a step of B samples; tensors are on the CPU."""

    noise: Tensor
    """Standard normal, of the clean latents' shape (B, 8, ...)."""
    level: Tensor
    """Noise levels (B,): one for RGB and depth."""
    mask: Tensor
    """(1 or B, 2, ...) for RGB and depth: 1 = generate, 0 = given."""
    keep: Mapping[str, Tensor | None]
    """Condition -> samples that keep it, (B,) bool; None = all of them."""


class DiffusionStep(nn.Module, ABC):
    """All networks of a stage that trains on cached latents, and one step of it."""

    def forward(self, batch: Sample) -> StepLoss:
        """The loss of a batch, under the corruption that its seeds draw."""
        return self.loss(batch, self.corruption(batch))

    @abstractmethod
    def networks(self) -> Networks:
        """The networks by their names in a pipeline."""

    @abstractmethod
    def corruption(self, batch: Sample) -> Corruption:
        """Draw what is random; reads the seeds and the shapes of the batch, not its values."""

    @abstractmethod
    def loss(self, batch: Sample, corruption: Corruption) -> StepLoss:
        """The loss of a batch under a given corruption."""


def draw_corruption(
    seeds: Tensor, *, shape: tuple[int, ...], mask: Tensor, dropout: Mapping[str, float]
) -> Corruption:
    """Noise of eq. 3 and 4 (independent for RGB and depth, at one level) and dropped conditions.

    Args:
        seeds: of the samples, (B,).
        shape: of one sample's latents, (8, ...).
        mask: as in Corruption.
        dropout: condition -> probability that a sample loses it.
    """
    keep = {condition: kept(seeds, condition, dropout=share) for condition, share in dropout.items()}
    return Corruption(
        noise=sample_noise(seeds, shape=shape),
        level=noise_levels(seeds),
        mask=mask,
        # None where nothing is dropped: attention then need not sort the samples
        keep={condition: None if samples.all() else samples for condition, samples in keep.items()},
    )


def denoising_loss(prediction: Tensor, target: Tensor, *, mask: Tensor, level: Tensor) -> StepLoss:
    """Mean square error over what is generated (paper eq. 5).

    prediction and target (B, 8, ...), mask (1 or B, 2, ...), level (B,).

    A sample's loss is the mean over its generated elements of both modalities, so that half a picture counts
    like a whole one. A part is the mean over one modality, 0 where that modality is given whole.
    """
    # eq. 5 in float32, whatever the precision of the forward pass
    square = (prediction.float() - target.float()).square()
    # the channels of a modality share one mask: their mean leaves one value for each mask element
    error = torch.stack([half.mean(dim=1) for half in square.chunk(len(MODALITIES), dim=1)], dim=1)
    weight = mask.expand_as(error)
    errors, areas = (error * weight).flatten(2).sum(dim=2), weight.flatten(2).sum(dim=2)
    total = (errors.sum(dim=1) / areas.sum(dim=1)).mean()
    # a modality that is given whole has no error and no area
    means = (errors / areas.clamp(min=1)).detach()
    return StepLoss(total=total, parts=dict(zip(MODALITIES, means.unbind(dim=1), strict=True)), level=level)
