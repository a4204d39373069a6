"""Stage 0, without a pretrained VAE: a small VAE learns the crops and depth codes of a dataset version."""

from __future__ import annotations

from typing import Protocol

import torch
from diffusers import AutoencoderKL, ModelMixin
from torch import Tensor, nn
from torch.utils.data import Dataset

from model.networks.autoencoder import (
    AutoencoderSize,
    AutoencoderWeights,
    autoencoder_loss,
    small_autoencoder,
)
from model.samples.pictures import Pictures
from model.samples.sample_order import Draw, MixSettings
from model.samples.training_set import Sample
from model.settings import Record
from model.training.denoising import StepLoss
from model.training.trainer_settings import TrainerSettings


class AutoencoderTraining(Record):
    """Settings of the autoencoder stage."""

    trainer: TrainerSettings
    """Steps, batch, learning rate and the other settings of the training loop."""
    size: AutoencoderSize = AutoencoderSize()
    """Size of the network and of its pictures."""
    weights: AutoencoderWeights = AutoencoderWeights()
    """Weights of the parts of the loss."""
    mix: MixSettings = MixSettings(studio_share=0.5)
    """Mix of studio captures and wild clips."""


class PictureReader(Protocol):
    """Cached pictures of a version's clips; clips are named by their index."""

    def frames(self, clip: int) -> int:
        """Number of frames of a clip."""
        ...

    def picture(self, clip: int, frame: int) -> Pictures:
        """One frame, (1, ...)."""
        ...


class PictureSet(Dataset[Sample]):
    """Single frames, half of them mirrored: rgb (3, H, W), code and mask (H, W), seed () for the noise."""

    def __init__(self, reader: PictureReader) -> None:
        self._reader = reader

    def __getitem__(self, draw: Draw) -> Sample:
        """The sample that a draw stands for."""
        generator = draw.generator()
        frame = int(torch.randint(self._reader.frames(draw.clip), (), generator=generator))
        picture = self._reader.picture(draw.clip, frame)
        sample = {"rgb": picture.rgb[0], "code": picture.code[0], "mask": picture.mask[0]}
        # faces are nearly symmetric: mirroring doubles the pictures of a small version
        if int(torch.randint(2, (), generator=generator)):
            sample = {name: maps.flip(-1) for name, maps in sample.items()}
        return {**sample, "seed": torch.randint(2**62, (), generator=generator)}


class AutoencoderStep(nn.Module):
    """Reconstruction of RGB and depth through the same VAE."""

    def __init__(self, vae: AutoencoderKL, *, weights: AutoencoderWeights) -> None:
        """Train all of the VAE."""
        super().__init__()
        self.vae = vae
        self._weights = weights

    def networks(self) -> dict[str, ModelMixin]:
        """The networks by the names of their folders."""
        return {"vae": self.vae}

    def forward(self, batch: Sample) -> StepLoss:
        """Loss of a batch of PictureSet."""
        pictures = Pictures(rgb=batch["rgb"], code=batch["code"], mask=batch["mask"])
        generator = torch.Generator().manual_seed(int(batch["seed"][0]))
        loss = autoencoder_loss(self.vae, pictures, weights=self._weights, generator=generator)
        parts = {name: _each(getattr(loss, name), len(pictures)) for name in ("rgb", "depth")}
        return StepLoss(total=loss.total, parts=parts, level=None)


def autoencoder_step(start: None, settings: AutoencoderTraining) -> AutoencoderStep:
    """Stage 0 on random weights: nothing comes before it."""
    del start
    return AutoencoderStep(small_autoencoder(settings.size), weights=settings.weights)


def _each(mean: Tensor, samples: int) -> Tensor:
    """The mean over a batch, repeated for each of its samples."""
    return mean.detach().expand(samples)
