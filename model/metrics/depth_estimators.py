"""Depth estimators behind one protocol: the model, the mean depth map, and the bound that the VAE sets.

A further estimator is a class with the members of `DepthEstimator`. tasks/evaluation/estimators.py lists the
estimators that an evaluation compares; an application may use any whose `reads` is "rgb".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol, Self

import torch
from diffusers import AutoencoderKL
from torch import Tensor

from model.networks.autoencoder import decode, encode
from model.pipelines.pipeline_image import PortraitRGBDPipeline
from model.samples.depth_code import as_picture, from_picture
from model.samples.manifest import ManifestRow
from model.samples.pictures import Pictures
from model.settings import Record

Reads = Literal["rgb", "ground truth", "clip"]


class DepthSampling(Record):
    """How depth is sampled by estimators that are random."""

    steps: int
    """Number of denoising steps of a sample."""
    samples: int
    """Number of samples whose mean is an estimate."""
    seeds: int
    """Number of estimates of every frame, which show the spread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimatorInput:
    """Frames whose depth is estimated; an application has their RGB only."""

    rgb: Tensor
    """(B, 3, H, W) in [0, 1]."""
    true_code: Tensor | None = None
    """(B, H, W) ground-truth depth codes."""
    rows: tuple[ManifestRow, ...] = ()
    """(B,) clip of each frame."""

    def __len__(self) -> int:
        return len(self.rgb)

    def batches(self, size: int) -> Iterator[Self]:
        """Batches of up to `size` frames, in order."""
        for first in range(0, len(self), size):
            part = slice(first, first + size)
            true_code = None if self.true_code is None else self.true_code[part]
            yield type(self)(rgb=self.rgb[part], true_code=true_code, rows=self.rows[part])


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthEstimate:
    """Estimated depth of B frames, or the reason why a frame has none."""

    code: Tensor
    """(B, H, W) depth up to scale and shift (not disparity), far = large."""
    mask: Tensor
    """(B, H, W) bool: pixels with an estimate."""
    reasons: tuple[str | None, ...]
    """(B,) why a frame has no estimate; None where it has one."""

    @classmethod
    def everywhere(cls, code: Tensor) -> Self:
        """An estimate for every pixel of every frame: codes (B, H, W)."""
        return cls(code=code, mask=torch.ones_like(code, dtype=torch.bool), reasons=(None,) * len(code))

    @classmethod
    def joined(cls, parts: Sequence[DepthEstimate]) -> Self:
        """The estimates of batches as one, in order."""
        return cls(
            code=torch.cat([part.code for part in parts]),
            mask=torch.cat([part.mask for part in parts]),
            reasons=tuple(reason for part in parts for reason in part.reasons),
        )


class DepthEstimator(Protocol):
    """Estimates the depth of frames up to scale and shift (relative depth, paper section 5.2)."""

    name: ClassVar[str]
    """Name in depth.json and depth.csv."""
    label: ClassVar[str]
    """What it is, for the page."""
    reads: ClassVar[Reads]
    """What it reads of a frame: RGB alone, also the ground truth (a bound), or files of the frame's clip."""
    is_random: ClassVar[bool]
    """Whether it samples noise, so that several seeds show a spread."""

    def estimate(self, frames: EstimatorInput) -> DepthEstimate:
        """Depth of the frames of one batch.

        Raises:
            ValueError: the frames lack what the estimator reads.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineDepth:
    """Depth from an image by the model (paper section 4.1): RGB is given, depth is sampled.

    The picture is its own reference.
    """

    name: ClassVar[str] = "model"
    label: ClassVar[str] = "the model, image to depth"
    reads: ClassVar[Reads] = "rgb"
    is_random: ClassVar[bool] = True

    pipeline: PortraitRGBDPipeline
    """A pipeline of the inpaint stage."""
    steps: int
    """Number of denoising steps of a sample."""
    samples: int
    """Number of samples whose mean is the estimate."""
    seed: int
    """Seed of the noise. The noise of a picture depends on the seed and on its place in the batch only."""

    def estimate(self, frames: EstimatorInput) -> DepthEstimate:
        """Mean of the sampled depth codes (B, H, W)."""
        codes = [
            self.pipeline(
                frames.rgb,
                image=frames.rgb,
                num_inference_steps=self.steps,
                # blocks of 2^20 seeds: no two samples or seeds share noise
                generator=[
                    torch.Generator().manual_seed((self.seed * self.samples + number) * 2**20 + index)
                    for index in range(len(frames))
                ],
            ).depth_code
            for number in range(self.samples)
        ]
        return DepthEstimate.everywhere(torch.stack(codes).mean(dim=0).cpu())


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanDepth:
    """One mean depth map for every picture: what an estimator can know that does not look at the picture."""

    name: ClassVar[str] = "mean_map"
    label: ClassVar[str] = "constant mean depth map of the train split"
    reads: ClassVar[Reads] = "rgb"
    is_random: ClassVar[bool] = False

    code: Tensor
    """(H, W) mean depth code of the skin; +1 where no frame has skin."""

    @classmethod
    def of(cls, clips: Iterable[Pictures]) -> Self:
        """Average all frames of the clips, each pixel over the frames in which it is skin.

        Raises:
            ValueError: there are no clips.
        """
        # In float64, sums of half floats (the type that codes are cached in) are exact, so that the mean
        # does not depend on the order of the clips.
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

    def estimate(self, frames: EstimatorInput) -> DepthEstimate:
        """The mean map (H, W) for each frame, as (B, H, W)."""
        return DepthEstimate.everywhere(self.code.expand(len(frames), -1, -1))


@dataclass(frozen=True, slots=True, kw_only=True)
class VaeBound:
    """The ground truth, encoded and decoded by the VAE: no denoiser in its latent space can do better."""

    name: ClassVar[str] = "vae_bound"
    label: ClassVar[str] = "true depth through the VAE: no denoiser can do better"
    reads: ClassVar[Reads] = "ground truth"
    is_random: ClassVar[bool] = False

    vae: AutoencoderKL

    @torch.inference_mode()
    def estimate(self, frames: EstimatorInput) -> DepthEstimate:
        """Decoded depth codes (B, H, W)."""
        if frames.true_code is None:
            raise ValueError(f"{self.name} needs ground-truth depth, and these frames have RGB only")
        latents = encode(self.vae, as_picture(frames.true_code).to(self.vae.device, self.vae.dtype))
        return DepthEstimate.everywhere(from_picture(decode(self.vae, latents)).float().cpu())
