"""Talking portraits: RGBD frames from a portrait and speech of any length, by chunks (paper 4.2, 7.1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, DiffusionPipeline, UNet2DConditionModel
from diffusers.utils import BaseOutput
from diffusers.utils.torch_utils import randn_tensor
from numpy.typing import NDArray
from torch import Generator, Tensor
from transformers import Wav2Vec2Model

from model.networks.autoencoder import LATENT_CHANNELS, decode, encode
from model.networks.diffusers_hooks import loadable_by_name
from model.networks.motion import VideoDenoiser, motion_features
from model.networks.prompt import Prompt
from model.networks.reference import (
    Reference,
    install_reference_attention,
    reference_features,
    reference_keys,
)
from model.networks.speech import speech_parts, whole_frames
from model.networks.speech_adapter import Speech, SpeechAdapter
from model.networks.speech_settings import WindowSettings
from model.pipelines.pipeline_inputs import RequestChecks, framed_speech
from model.pipelines.sampling import Guide, Prediction, denoise, guided
from model.pipelines.speech_stream import SpeechStream
from model.samples.depth_code import DepthRange, from_picture
from model.samples.training_set import WindowLength


@dataclass
class PortraitRGBDFrame(BaseOutput):  # type: ignore[misc]
    """One frame of a talking portrait; there are 25 a second."""

    rgb: Tensor
    """(3, H, W) in [0, 1]."""
    depth_code: Tensor
    """(H, W) depth code in [-1, 1], near = -1."""
    depth_m: Tensor | None
    """(H, W) metres; None unless near_m and far_m were given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """What all chunks of a clip share."""

    reference: Reference
    """Keys of the portrait for the denoiser's attention."""
    portrait: Tensor
    """Latents of the portrait, (1, 4, h, w)."""
    speech: SpeechStream
    steps: int
    reference_scale: float
    speech_scale: float
    generator: Generator | None
    depth_range: DepthRange | None


@loadable_by_name
class PortraitRGBDVideoPipeline(DiffusionPipeline):  # type: ignore[misc]
    """Samples talking portraits with depth.

    Frames are returned as soon as their chunk is sampled, so that memory does not grow with the length.
    """

    def __init__(
        self,
        vae: AutoencoderKL,
        reference_net: UNet2DConditionModel,
        denoiser: VideoDenoiser,
        speech_adapter: SpeechAdapter,
        speech_network: Wav2Vec2Model,
        prompt: Prompt,
        scheduler: DDIMScheduler,
        window_frames: int = 14,
        num_motion_frames: int = 4,
        speech_frames: int = 5,
    ) -> None:
        """Set up the pipeline of a training.

        Args:
            vae: VAE of the training.
            reference_net: reference network of the training.
            denoiser: denoiser of the motion stage.
            speech_adapter: speech adapter of the motion stage.
            speech_network: network that computed the speech features of the dataset version.
            prompt: constant prompt.
            scheduler: noise schedule of the training.
            window_frames: length of a training window in frames (model.samples.training_set.WindowLength).
            num_motion_frames: number of motion frames at the beginning of a window; a chunk is the rest.
            speech_frames: number of frames of speech features that each frame attends to.

        Raises:
            ValueError: the speech network has another size than the adapter was trained for.
        """
        super().__init__()
        # save_pretrained does not save attention processors
        install_reference_attention(reference_net)
        install_reference_attention(denoiser)
        _check_speech_network(speech_network, speech_adapter)
        self.register_modules(
            vae=vae,
            reference_net=reference_net,
            denoiser=denoiser,
            speech_adapter=speech_adapter,
            speech_network=speech_network,
            prompt=prompt,
            scheduler=scheduler,
        )
        self.register_to_config(
            window_frames=window_frames, num_motion_frames=num_motion_frames, speech_frames=speech_frames
        )

    def __call__(
        self,
        reference: Tensor,
        speech: Tensor,
        *,
        num_inference_steps: int = 20,
        reference_scale: float = 1.0,
        speech_scale: float = 1.0,
        generator: Generator | None = None,
        near_m: float | None = None,
        far_m: float | None = None,
    ) -> Iterator[PortraitRGBDFrame]:
        """Sample round(25 x seconds) frames; a frame is returned as soon as its chunk is sampled.

        Arguments are checked by the call itself, before the first frame is requested.

        Args:
            reference: portrait of the speaker, (1, 3, H, W) in [0, 1].
            speech: speech, 16 kHz mono, (S,) in [-1, 1].
            num_inference_steps: number of denoising steps of a chunk.
            reference_scale: guidance scale of the portrait; 1 = as trained.
            speech_scale: guidance scale of the speech; 1 = as trained. Each scale other than 1 adds up to one
                call of the denoiser to every step.
            generator: random generator of the noise.
            near_m: depth of code -1, metres.
            far_m: depth of code +1, metres.

        Raises:
            TypeError: an argument is no tensor; names it.
            ValueError: an argument has a wrong shape, type or value; names it.
        """
        checks = RequestChecks(side_px=self.side_px, factor=self._factor)
        checks.check_portrait(reference)
        checks.check_steps(num_inference_steps)
        checks.check_scale("reference_scale", reference_scale)
        checks.check_scale("speech_scale", speech_scale)
        depth_range = checks.depth_range(near_m=near_m, far_m=far_m)
        samples = framed_speech(speech)
        portrait = self._encoded(reference)
        request = _Request(
            reference=self._reference(portrait),
            portrait=portrait,
            speech=self._speech(samples),
            steps=num_inference_steps,
            reference_scale=reference_scale,
            speech_scale=speech_scale,
            generator=generator,
            depth_range=depth_range,
        )
        return self._frames(request, count=whole_frames(samples))

    @property
    def _factor(self) -> int:
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))

    @property
    def side_px(self) -> int:
        """Height and width of the training pictures."""
        return int(self.denoiser.config.sample_size) * self._factor

    @property
    def _length(self) -> WindowLength:
        config = self.config
        return WindowLength(
            frames=config.window_frames,
            num_motion_frames=config.num_motion_frames,
            speech=config.speech_frames,
        )

    def _frames(self, request: _Request, *, count: int) -> Iterator[PortraitRGBDFrame]:
        length = self._length
        # A clip begins from its portrait, as in training where the motion frames are dropped.
        motion = request.portrait[:, None].expand(-1, length.num_motion_frames, -1, -1, -1)
        done = 0
        while done < count:
            chunk = min(length.frames - length.num_motion_frames, count - done)
            latents = self._chunk(request, motion, chunk)
            yield from self._decoded(latents, request.depth_range)
            # The last clean RGB latents are the motion frames of the next chunk (paper section 7.1). Decoded
            # and encoded again, they would drift from chunk to chunk.
            rgb = latents[:, :LATENT_CHANNELS].transpose(1, 2)
            motion = torch.cat([motion, rgb], dim=1)[:, -length.num_motion_frames :]
            done += chunk

    def _speech(self, samples: NDArray[np.int16]) -> SpeechStream:
        parts = speech_parts(self.speech_network, samples, windows=WindowSettings())
        return SpeechStream(parts, frames=whole_frames(samples), window=self._length.speech)

    @torch.inference_mode()
    def _encoded(self, reference: Tensor) -> Tensor:
        picture = (reference * 2 - 1).to(self.device, self.denoiser.dtype)
        return encode(self.vae, picture)

    @torch.inference_mode()
    def _reference(self, portrait: Tensor) -> Reference:
        features = reference_features(self.reference_net, portrait, self._prompt())
        return Reference(keys=reference_keys(self.denoiser, features))

    @torch.inference_mode()
    def _chunk(self, request: _Request, motion: Tensor, count: int) -> Tensor:
        """Sample clean latents (1, 8, count, h, w) of the next frames after motion frames (1, n, 4, h, w)."""
        shape = (1, 2 * LATENT_CHANNELS, count, *motion.shape[-2:])
        noise = randn_tensor(shape, request.generator, device=self.device, dtype=self.denoiser.dtype)
        # windows of k frames of speech features around each frame (paper section 7.1)
        windows = request.speech.take(count)[None].to(self.device)
        return denoise(
            self._prediction(request, motion, windows), noise, schedule=self.scheduler, steps=request.steps
        )

    def _prediction(self, request: _Request, motion: Tensor, windows: Tensor) -> Prediction:
        """Noise prediction, guided by the portrait and then by the speech.

        e_0 + w_r (e_r - e_0) + w_s (e_rs - e_r): classifier-free guidance by two conditions (Ho & Salimans
        2022, arXiv 2207.12598). A condition whose scale is 1 is part of every prediction, so that no
        prediction without it is computed.
        """
        prompt = self._prompt()
        features = motion_features(self.reference_net, motion, prompt)

        def speech(*, is_kept: bool) -> Speech:
            keep = torch.tensor([is_kept], device=self.device)
            return Speech(adapter=self.speech_adapter, tokens=self.speech_adapter(windows, keep))

        def predict(reference: Reference | None, speech: Speech) -> Prediction:
            known = {"speech": speech} if reference is None else {"speech": speech, "reference": reference}
            return lambda latents, level: cast(
                Tensor,
                self.denoiser(latents, level, prompt, motion=features, cross_attention_kwargs=known).sample,
            )

        first_speech = speech(is_kept=request.speech_scale == 1)
        guides = []
        if request.reference_scale == 1:
            first = predict(request.reference, first_speech)
        else:
            first = predict(None, first_speech)
            with_reference = predict(request.reference, first_speech)
            guides.append(Guide(scale=request.reference_scale, predict=with_reference))
        # The speech is the last guide: at scale 0 it would add nothing.
        if request.speech_scale not in (0, 1):
            with_speech = predict(request.reference, speech(is_kept=True))
            guides.append(Guide(scale=request.speech_scale, predict=with_speech))
        return guided(first, guides)

    @torch.inference_mode()
    def _decoded(self, latents: Tensor, depth_range: DepthRange | None) -> list[PortraitRGBDFrame]:
        rgb, depth = latents[0].transpose(0, 1).chunk(2, dim=1)
        pictures = (decode(self.vae, rgb).clamp(-1, 1).float() + 1) / 2
        codes = from_picture(decode(self.vae, depth)).float()
        return [
            PortraitRGBDFrame(
                rgb=picture,
                depth_code=code,
                depth_m=None if depth_range is None else depth_range.decode(code),
            )
            for picture, code in zip(pictures, codes, strict=True)
        ]

    def _prompt(self) -> Tensor:
        return cast(Tensor, self.prompt().to(self.device, self.denoiser.dtype))


def _check_speech_network(network: Wav2Vec2Model, adapter: SpeechAdapter) -> None:
    found = (network.config.num_hidden_layers, network.config.hidden_size)
    wanted = (adapter.config.layers, adapter.config.layer_width)
    if found != wanted:
        raise ValueError(
            f"speech_network has {found[0]} layers x {found[1]}, the speech adapter was trained for "
            f"{wanted[0]} x {wanted[1]}; take the network of the dataset version of that training"
        )
