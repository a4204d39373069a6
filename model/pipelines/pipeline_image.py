"""RGBD portraits: made jointly, depth from an image, an image from depth, or regions (paper 3.3, 4.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import diffusers
import torch
from diffusers import AutoencoderKL, DDIMScheduler, DiffusionPipeline, UNet2DConditionModel
from diffusers.utils import BaseOutput
from diffusers.utils.torch_utils import randn_tensor
from torch import Generator, Tensor
from torch.nn import functional

from model.networks.autoencoder import LATENT_CHANNELS, decode, encode
from model.networks.denoiser import INPAINT_LAYOUT
from model.networks.prompt import Prompt
from model.networks.reference import (
    Reference,
    install_reference_attention,
    reference_features,
    reference_keys,
)
from model.pipelines.pipeline_inputs import PictureArguments, RequestChecks, broadcast_mask
from model.pipelines.sampling import Prediction, denoise, guided_at_once
from model.samples.depth_code import DepthRange, as_picture, from_picture


@dataclass
class PortraitRGBD(BaseOutput):  # type: ignore[misc]
    """What a call gives back."""

    rgb: Tensor
    """(B, 3, H, W) in [0, 1]."""
    depth_code: Tensor
    """(B, H, W) in [-1, 1], near -1."""
    depth_m: Tensor | None
    """(B, H, W) metres, where near_m and far_m were given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """What is known before sampling, and masks of what is made, at both sizes."""

    pictures: Tensor
    """(B, 4, H, W) float32: RGB in [0, 1] and depth code, as they were given."""
    made: Tensor
    """(B, 2, H, W) of RGB and depth, 1 = make."""
    latents: Tensor
    """(B, 8, h, w)."""
    made_latents: Tensor
    """(B, 2, h, w)."""

    def inputs(self) -> Tensor:
        """The denoiser's further channels (model.networks.denoiser.INPAINT_LAYOUT)."""
        known = 1 - self.made_latents.repeat_interleave(LATENT_CHANNELS, dim=1)
        return torch.cat([self.made_latents, self.latents * known], dim=1)


class PortraitRGBDPipeline(DiffusionPipeline):  # type: ignore[misc]
    """Portraits with depth.

    With a denoiser of 8 input channels it makes RGB and depth together, with 18 it also takes what is given.
    """

    def __init__(
        self,
        vae: AutoencoderKL,
        reference_net: UNet2DConditionModel,
        denoiser: UNet2DConditionModel,
        prompt: Prompt,
        scheduler: DDIMScheduler,
    ) -> None:
        super().__init__()
        # attention processors are not saved with weights
        install_reference_attention(reference_net)
        install_reference_attention(denoiser)
        self.register_modules(
            vae=vae, reference_net=reference_net, denoiser=denoiser, prompt=prompt, scheduler=scheduler
        )

    @property
    def takes_given(self) -> bool:
        """Whether parts of the result can be given."""
        return tuple(self.denoiser.config.input_layout) == INPAINT_LAYOUT

    @torch.inference_mode()
    def __call__(
        self,
        reference: Tensor | None = None,
        *,
        image: Tensor | None = None,
        depth: Tensor | None = None,
        mask_rgb: Tensor | None = None,
        mask_depth: Tensor | None = None,
        samples: int = 1,
        num_inference_steps: int = 20,
        guidance_scale: float = 1.0,
        generator: Generator | list[Generator] | None = None,
        near_m: float | None = None,
        far_m: float | None = None,
    ) -> PortraitRGBD:
        """Sample; what is given comes back as it was given.

        Args:
            reference: who it is, (B, 3, H, W) in [0, 1]; None = anybody.
            image: given RGB, (B, 3, H, W) in [0, 1].
            depth: given depth codes, (B, H, W) in [-1, 1], near -1.
            mask_rgb: what to make of the RGB, (B or 1, H, W), 1 = make, 0 = given; None = all where no image
                is given, else nothing.
            mask_depth: likewise of the depth.
            samples: B, where nothing says it.
            num_inference_steps: denoising steps.
            guidance_scale: how much the reference counts; 1 = as trained, at half the cost of any other.
            generator: of the noise; one for each sample makes each independent of the others.
            near_m: what code -1 stands for, metres.
            far_m: what code +1 stands for, metres.

        Raises:
            TypeError: an argument is no tensor; names it.
            ValueError: an argument is not what it should be; names it.
        """
        asked = PictureArguments(
            reference=reference, image=image, depth=depth, mask_rgb=mask_rgb, mask_depth=mask_depth
        )
        checks = RequestChecks(side_px=self.side_px, factor=self._factor)
        batch = checks.check(asked, samples=samples, takes_given=self.takes_given)
        checks.check_numbers(
            asked, steps=num_inference_steps, guidance_scale=guidance_scale, generator=generator, batch=batch
        )
        depth_range = checks.depth_range(near_m=near_m, far_m=far_m)
        given = self._given(asked, batch=batch, size=checks.size(asked))
        predict = self._prediction(reference, given, guidance_scale=guidance_scale)
        latents = self._sampled(predict, given, steps=num_inference_steps, generator=generator)
        return self._output(latents, given, depth_range)

    @property
    def _factor(self) -> int:
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))

    @property
    def side_px(self) -> int:
        """Of pictures where no argument says it."""
        return int(self.denoiser.config.sample_size) * self._factor

    def _given(self, asked: PictureArguments, *, batch: int, size: tuple[int, int]) -> _Given:
        image, depth = asked.image, asked.depth
        device, dtype = self.device, self.denoiser.dtype
        rgb = (torch.zeros(batch, 3, *size) if image is None else image).to(device, torch.float32)
        code = (torch.ones(batch, *size) if depth is None else depth).to(device, torch.float32)
        masks = [
            broadcast_mask(mask, is_given=held is not None, batch=batch, size=size).to(device, dtype)
            for mask, held in ((asked.mask_rgb, image), (asked.mask_depth, depth))
        ]
        made = torch.stack(masks, dim=1)
        # whole masks need no VAE: nothing of what is made is read
        latents = [
            torch.zeros(batch, LATENT_CHANNELS, *(side // self._factor for side in size)).to(device, dtype)
            if held is None
            else encode(self.vae, picture.to(dtype))
            for held, picture in ((image, rgb * 2 - 1), (depth, as_picture(code)))
        ]
        return _Given(
            pictures=torch.cat([rgb, code[:, None]], dim=1),
            made=made,
            latents=torch.cat(latents, dim=1),
            # a latent that touches what is made is made
            made_latents=functional.max_pool2d(made, self._factor),
        )

    def _prediction(self, reference: Tensor | None, given: _Given, *, guidance_scale: float) -> Prediction:
        """What the denoiser says with the reference, guided away from what it says without."""
        prompt = self.prompt().to(self.device)
        further = [given.inputs()] if self.takes_given else []

        def says(seen: Reference | None) -> Prediction:
            attention = {} if seen is None else {"reference": seen}

            def predict(latents: Tensor, level: Tensor) -> Tensor:
                inputs = [latents, *(one.repeat(len(latents) // len(one), 1, 1, 1) for one in further)]
                said = self.denoiser(
                    torch.cat(inputs, dim=1), level, prompt, cross_attention_kwargs=attention
                )
                return cast(Tensor, said.sample)

            return predict

        if reference is None or guidance_scale == 0:
            return says(None)
        pictures = (reference * 2 - 1).to(self.device, self.denoiser.dtype)
        features = reference_features(self.reference_net, encode(self.vae, pictures), prompt)
        keys = reference_keys(self.denoiser, features)
        if guidance_scale == 1:
            return says(Reference(keys=keys))
        return guided_at_once(says(Reference(keys=keys, without=len(reference))), scale=guidance_scale)

    def _sampled(
        self,
        predict: Prediction,
        given: _Given,
        *,
        steps: int,
        generator: Generator | list[Generator] | None,
    ) -> Tensor:
        """Clean latents (B, 8, h, w) from noise."""
        shape = given.latents.shape
        noise = randn_tensor(shape, generator=generator, device=self.device, dtype=self.denoiser.dtype)
        with self.progress_bar(total=steps) as bar:
            return denoise(predict, noise, schedule=self.scheduler, steps=steps, on_step=bar.update)

    def _output(self, latents: Tensor, given: _Given, depth_range: DepthRange | None) -> PortraitRGBD:
        rgb, depth = latents[:, :LATENT_CHANNELS], latents[:, LATENT_CHANNELS:]
        pictures = (decode(self.vae, rgb).float().clamp(-1, 1) + 1) / 2
        codes = from_picture(decode(self.vae, depth).float())
        made = torch.cat([pictures, codes[:, None]], dim=1)
        mask = torch.cat([given.made[:, :1].expand(-1, 3, -1, -1), given.made[:, 1:]], dim=1)
        whole = torch.where(mask > 0, made, given.pictures)
        code = whole[:, 3]
        return PortraitRGBD(
            rgb=whole[:, :3],
            depth_code=code,
            depth_m=None if depth_range is None else depth_range.decode(code),
        )


# `DiffusionPipeline.from_pretrained` looks a pipeline's class up in the library by its name
cast(Any, diffusers).PortraitRGBDPipeline = PortraitRGBDPipeline
