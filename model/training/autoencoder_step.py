"""Stage 0, where there is no pretrained VAE: the small one learns a version's crops and depth codes."""

from __future__ import annotations

from typing import Protocol

import torch
from diffusers import AutoencoderKL, ModelMixin
from torch import Tensor, nn
from torch.utils.data import Dataset

from model.networks.autoencoder import AutoencoderWeights, autoencoder_loss
from model.samples.pictures import Pictures
from model.samples.sample_order import Draw
from model.samples.training_set import Sample
from model.training.training_step import StepLoss


class PictureReader(Protocol):
    """Cached pictures of a version's clips, named by their index."""

    def frames(self, clip: int) -> int:
        """How many a clip has."""
        ...

    def picture(self, clip: int, frame: int) -> Pictures:
        """One of them, (1, ...)."""
        ...


class PictureSet(Dataset[Sample]):
    """Single frames, half of them mirrored: rgb (3, H, W), code and mask (H, W), seed () of the noise."""

    def __init__(self, reader: PictureReader) -> None:
        self._reader = reader

    def __getitem__(self, draw: Draw) -> Sample:
        """The sample of a draw."""
        generator = draw.generator()
        frame = int(torch.randint(self._reader.frames(draw.clip), (), generator=generator))
        picture = self._reader.picture(draw.clip, frame)
        sample = {"rgb": picture.rgb[0], "code": picture.code[0], "mask": picture.mask[0]}
        if int(torch.randint(2, (), generator=generator)):
            sample = {name: maps.flip(-1) for name, maps in sample.items()}
        return {**sample, "seed": torch.randint(2**62, (), generator=generator)}


class AutoencoderStep(nn.Module):
    """Reconstruction of RGB and depth through the same VAE."""

    def __init__(self, vae: AutoencoderKL, *, weights: AutoencoderWeights) -> None:
        """All of the VAE trains."""
        super().__init__()
        self.vae = vae
        self._weights = weights

    def networks(self) -> dict[str, ModelMixin]:
        """What is saved."""
        return {"vae": self.vae}

    def forward(self, batch: Sample) -> StepLoss:
        """Loss of a batch of PictureSet."""
        pictures = Pictures(rgb=batch["rgb"], code=batch["code"], mask=batch["mask"])
        generator = torch.Generator().manual_seed(int(batch["seed"][0]))
        loss = autoencoder_loss(self.vae, pictures, weights=self._weights, generator=generator)
        parts = {name: _each(getattr(loss, name), len(pictures)) for name in ("rgb", "depth")}
        return StepLoss(total=loss.total, parts=parts, level=None)


def _each(mean: Tensor, samples: int) -> Tensor:
    """A batch's mean for each of its samples."""
    return mean.detach().expand(samples)
