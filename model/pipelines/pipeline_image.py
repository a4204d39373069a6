"""RGBD portraits: RGB and depth sampled jointly, one from the other, or by region (paper 3.3, 4.1, 5.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from diffusers import AutoencoderKL, DDIMScheduler, DiffusionPipeline, UNet2DConditionModel
from diffusers.utils import BaseOutput
from diffusers.utils.torch_utils import randn_tensor
from torch import Generator, Tensor
from torch.nn import functional

from model.networks.autoencoder import LATENT_CHANNELS, decode, encode
from model.networks.denoiser import INPAINT_LAYOUT
from model.networks.diffusers_hooks import loadable_by_name
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
    """Sampled portraits."""

    rgb: Tensor
    """(B, 3, H, W) in [0, 1]."""
    depth_code: Tensor
    """(B, H, W) depth codes in [-1, 1], near = -1."""
    depth_m: Tensor | None
    """(B, H, W) metres; None unless near_m and far_m were given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """The given RGB and depth, and the masks of what is sampled, as pictures and as latents."""

    pictures: Tensor
    """(B, 4, H, W) float32: given RGB in [0, 1] and given depth code, unchanged."""
    mask: Tensor
    """(B, 2, H, W) masks of RGB and depth, 1 = sample, 0 = given."""
    latents: Tensor
    """(B, 8, h, w) latents of the given RGB and depth."""
    latent_mask: Tensor
    """(B, 2, h, w) the masks at the size of the latents."""

    def inputs(self) -> Tensor:
        """Masks and masked latents (B, 10, h, w), the denoiser's channels after the noisy latents.

        The order is model.networks.denoiser.INPAINT_LAYOUT.
        """
        known = 1 - self.latent_mask.repeat_interleave(LATENT_CHANNELS, dim=1)
        return torch.cat([self.latent_mask, self.latents * known], dim=1)


@loadable_by_name
class PortraitRGBDPipeline(DiffusionPipeline):  # type: ignore[misc]
    """Samples portraits with depth.

    A denoiser with 8 input channels (joint stage) samples RGB and depth together (paper section 3.3). One
    with 18 (inpaint stage) also takes RGB, depth or regions of them as input (section 4.1).
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
        # save_pretrained does not save attention processors
        install_reference_attention(reference_net)
        install_reference_attention(denoiser)
        self.register_modules(
            vae=vae, reference_net=reference_net, denoiser=denoiser, prompt=prompt, scheduler=scheduler
        )

    @property
    def takes_given(self) -> bool:
        """Whether RGB, depth or regions of them can be given."""
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
        """Sample portraits. Given pixels are returned unchanged.

        Args:
            reference: portrait of the identity, (B, 3, H, W) in [0, 1]; None = any identity.
            image: given RGB, (B, 3, H, W) in [0, 1].
            depth: given depth codes, (B, H, W) in [-1, 1], near = -1.
            mask_rgb: region of the RGB to sample, (B or 1, H, W), 1 = sample; None = all without an image.
            mask_depth: region of the depth to sample, like mask_rgb.
            samples: number of samples B; needed only if no picture or mask determines it.
            num_inference_steps: number of denoising steps.
            guidance_scale: guidance scale of the reference; 1 = as trained. 0 and 1 take half the time.
            generator: generator of the noise, or one for each sample, which makes samples independent.
            near_m: depth of code -1, metres.
            far_m: depth of code +1, metres.

        Raises:
            TypeError, ValueError: an argument is no tensor, or has a wrong shape or value; names it.
        """
        arguments = PictureArguments(
            reference=reference, image=image, depth=depth, mask_rgb=mask_rgb, mask_depth=mask_depth
        )
        checks = RequestChecks(side_px=self.side_px, factor=self._factor)
        batch = checks.check(arguments, samples=samples, takes_given=self.takes_given)
        checks.check_numbers(
            arguments,
            steps=num_inference_steps,
            guidance_scale=guidance_scale,
            generator=generator,
            batch=batch,
        )
        depth_range = checks.depth_range(near_m=near_m, far_m=far_m)
        given = self._given(arguments, batch=batch, size=checks.size(arguments))
        predict = self._prediction(reference, given, guidance_scale=guidance_scale)
        latents = self._sampled(predict, given, steps=num_inference_steps, generator=generator)
        return self._output(latents, given, depth_range)

    @property
    def _factor(self) -> int:
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))

    @property
    def side_px(self) -> int:
        """Height and width of samples if no argument determines them."""
        return int(self.denoiser.config.sample_size) * self._factor

    def _given(self, arguments: PictureArguments, *, batch: int, size: tuple[int, int]) -> _Given:
        image, depth = arguments.image, arguments.depth
        device, dtype = self.device, self.denoiser.dtype
        rgb = (torch.zeros(batch, 3, *size) if image is None else image).to(device, torch.float32)
        code = (torch.ones(batch, *size) if depth is None else depth).to(device, torch.float32)
        masks = [
            broadcast_mask(mask, is_given=picture is not None, batch=batch, size=size).to(device, dtype)
            for mask, picture in ((arguments.mask_rgb, image), (arguments.mask_depth, depth))
        ]
        mask = torch.stack(masks, dim=1)
        # Without a given picture the mask is whole and hides all of its latents: zeros need no VAE.
        latents = [
            torch.zeros(batch, LATENT_CHANNELS, *(side // self._factor for side in size)).to(device, dtype)
            if argument is None
            else encode(self.vae, picture.to(dtype))
            for argument, picture in ((image, rgb * 2 - 1), (depth, as_picture(code)))
        ]
        return _Given(
            pictures=torch.cat([rgb, code[:, None]], dim=1),
            mask=mask,
            latents=torch.cat(latents, dim=1),
            # a latent is sampled if the mask touches any of its pixels (docs/decisions/0009)
            latent_mask=functional.max_pool2d(mask, self._factor),
        )

    def _prediction(self, reference: Tensor | None, given: _Given, *, guidance_scale: float) -> Prediction:
        """Noise prediction of the denoiser, guided by the reference if there is one.

        This is classifier-free guidance (Ho & Salimans 2022, arXiv 2207.12598): training drops the reference
        of some samples, so that the denoiser also predicts without one.
        """
        prompt = self.prompt().to(self.device)
        inpaint_inputs = [given.inputs()] if self.takes_given else []

        def prediction(known: Reference | None) -> Prediction:
            attention = {} if known is None else {"reference": known}

            def predict(latents: Tensor, level: Tensor) -> Tensor:
                # with guidance the batch comes twice, and so do its masks and masked latents
                inputs = [latents, *(one.repeat(len(latents) // len(one), 1, 1, 1) for one in inpaint_inputs)]
                output = self.denoiser(
                    torch.cat(inputs, dim=1), level, prompt, cross_attention_kwargs=attention
                )
                return cast(Tensor, output.sample)

            return predict

        # e_0 + 0 (e_1 - e_0) is the prediction without the reference: no reference features are needed
        if reference is None or guidance_scale == 0:
            return prediction(None)
        pictures = (reference * 2 - 1).to(self.device, self.denoiser.dtype)
        features = reference_features(self.reference_net, encode(self.vae, pictures), prompt)
        keys = reference_keys(self.denoiser, features)
        if guidance_scale == 1:
            return prediction(Reference(keys=keys))
        return guided_at_once(prediction(Reference(keys=keys, without=len(reference))), scale=guidance_scale)

    def _sampled(
        self,
        predict: Prediction,
        given: _Given,
        *,
        steps: int,
        generator: Generator | list[Generator] | None,
    ) -> Tensor:
        """Sample clean latents (B, 8, h, w) from noise."""
        shape = given.latents.shape
        noise = randn_tensor(shape, generator=generator, device=self.device, dtype=self.denoiser.dtype)
        with self.progress_bar(total=steps) as bar:
            return denoise(predict, noise, schedule=self.scheduler, steps=steps, on_step=bar.update)

    def _output(self, latents: Tensor, given: _Given, depth_range: DepthRange | None) -> PortraitRGBD:
        rgb, depth = latents[:, :LATENT_CHANNELS], latents[:, LATENT_CHANNELS:]
        pictures = (decode(self.vae, rgb).float().clamp(-1, 1) + 1) / 2
        codes = from_picture(decode(self.vae, depth).float())
        sampled = torch.cat([pictures, codes[:, None]], dim=1)
        mask = torch.cat([given.mask[:, :1].expand(-1, 3, -1, -1), given.mask[:, 1:]], dim=1)
        # Given pixels are copied, not decoded: the VAE would change them.
        whole = torch.where(mask > 0, sampled, given.pictures)
        code = whole[:, 3]
        return PortraitRGBD(
            rgb=whole[:, :3],
            depth_code=code,
            depth_m=None if depth_range is None else depth_range.decode(code),
        )
