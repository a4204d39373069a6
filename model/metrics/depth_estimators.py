"""Depth from pictures, behind one small protocol: the model, baselines, and what comes later."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import torch
from diffusers import AutoencoderKL
from torch import Tensor

from model.networks.autoencoder import decode, encode
from model.pipelines.pipeline_image import PortraitRGBDPipeline
from model.samples.depth_code import as_picture, from_picture
from model.samples.pictures import Pictures


class DepthEstimator(Protocol):
    """Says how far each pixel is, up to scale and shift."""

    def __call__(self, rgb: Tensor) -> Tensor:
        """Pictures (B, 3, H, W) in [0, 1] -> (B, H, W), far = large."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineDepth:
    """The model's image to depth: RGB is given, depth is made, and the portrait is its own reference."""

    pipeline: PortraitRGBDPipeline
    steps: int
    """Denoising steps of a sample."""
    samples: int
    """Their mean is the estimate: one sample is one guess of many."""
    seed: int
    """Of the noise; a picture's noise depends on its place in the batch and on nothing else."""

    def __call__(self, rgb: Tensor) -> Tensor:
        """Depth codes (B, H, W)."""
        codes = [
            self.pipeline(
                rgb,
                image=rgb,
                num_inference_steps=self.steps,
                generator=[
                    torch.Generator().manual_seed((self.seed * self.samples + number) * 2**20 + index)
                    for index in range(len(rgb))
                ],
            ).depth_code
            for number in range(self.samples)
        ]
        return torch.stack(codes).mean(dim=0).cpu()


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanDepth:
    """The same depth for everybody: what a model that looks at nothing can know."""

    code: Tensor
    """(H, W) mean depth code of the skin, +1 where there never was skin."""

    @classmethod
    def of(cls, clips: Iterable[Pictures]) -> MeanDepth:
        """The mean over all frames that are given, each pixel over those where it is skin.

        Raises:
            ValueError: there are none.
        """
        # in float64, where sums of half floats, as codes are cached, are exact in any order
        sums: Tensor | None = None
        for pictures in clips:
            skin = pictures.mask.double()
            own = torch.stack([(pictures.code * skin).sum(dim=0), skin.sum(dim=0)])
            sums = own if sums is None else sums.add_(own)
        if sums is None:
            raise ValueError("no pictures to take the mean depth of")
        total, count = sums
        mean = torch.where(count > 0, total / count.clamp(min=1), 1.0)
        return cls(code=mean.float())

    def __call__(self, rgb: Tensor) -> Tensor:
        """(B, H, W)."""
        return self.code.expand(len(rgb), -1, -1)


@torch.inference_mode()
def through_vae(vae: AutoencoderKL, code: Tensor) -> Tensor:
    """True depth codes (B, H, W), encoded and decoded: no denoiser can do better."""
    there = encode(vae, as_picture(code).to(vae.device, vae.dtype))
    return from_picture(decode(vae, there)).float().cpu()
