"""A portrait and speech of any length -> RGBD frames, chunk after chunk (paper 4.2, 7.1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import diffusers
import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, DiffusionPipeline, UNet2DConditionModel
from diffusers.utils import BaseOutput
from diffusers.utils.torch_utils import randn_tensor
from numpy.typing import NDArray
from torch import Generator, Tensor
from transformers import Wav2Vec2Model

from model.networks.autoencoder import LATENT_CHANNELS, decode, encode
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
    """One frame of a talking portrait, 25 a second."""

    rgb: Tensor
    """(3, H, W) in [0, 1]."""
    depth_code: Tensor
    """(H, W) in [-1, 1], near -1."""
    depth_m: Tensor | None
    """(H, W) metres, where near_m and far_m were given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """What is the same for all chunks of a clip."""

    seen: Reference
    portrait: Tensor
    """Its latents, (1, 4, h, w)."""
    speech: SpeechStream
    steps: int
    reference_scale: float
    speech_scale: float
    generator: Generator | None
    depth_range: DepthRange | None


class PortraitRGBDVideoPipeline(DiffusionPipeline):  # type: ignore[misc]
    """Talking portraits with depth. Memory does not grow with the length: frames are given out as made."""

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
        given_frames: int = 4,
        speech_frames: int = 5,
    ) -> None:
        """Set up; a chunk is made as the training saw it.

        Args:
            vae: of the training.
            reference_net: likewise.
            denoiser: likewise.
            speech_adapter: likewise.
            speech_network: that the version's features were made with.
            prompt: the constant one.
            scheduler: of the training.
            window_frames: frames of a training window (model.samples.training_set.WindowLength).
            given_frames: of them the known ones; a chunk is the rest.
            speech_frames: of speech that a frame hears.

        Raises:
            ValueError: the speech network is not the kind that the adapter was trained for.
        """
        super().__init__()
        # attention processors are not saved with weights
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
            window_frames=window_frames, given_frames=given_frames, speech_frames=speech_frames
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
        """Make round(25 x seconds) frames; each is there as soon as its chunk is made.

        Args:
            reference: who speaks, (1, 3, H, W) in [0, 1].
            speech: what is said, 16 kHz mono, (S,) in [-1, 1].
            num_inference_steps: denoising steps of a chunk.
            reference_scale: how much the portrait counts; 1 = as trained.
            speech_scale: how much the speech counts; 1 = as trained. Each scale that is not 1 adds a call of
                the denoiser to every step.
            generator: of the noise.
            near_m: what code -1 stands for, metres.
            far_m: what code +1 stands for, metres.

        Raises:
            TypeError: an argument is no tensor; names it.
            ValueError: an argument is not what it should be; names it. Before the first frame is asked for.
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
            seen=self._seen(portrait),
            portrait=portrait,
            speech=self._heard(samples),
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
        """Height and width of the pictures that it was trained on."""
        return int(self.denoiser.config.sample_size) * self._factor

    @property
    def _length(self) -> WindowLength:
        config = self.config
        return WindowLength(
            frames=config.window_frames, given=config.given_frames, speech=config.speech_frames
        )

    def _frames(self, request: _Request, *, count: int) -> Iterator[PortraitRGBDFrame]:
        length = self._length
        # as in training where motion frames are dropped: a clip begins from its portrait
        motion = request.portrait[:, None].expand(-1, length.given, -1, -1, -1)
        done = 0
        while done < count:
            chunk = min(length.frames - length.given, count - done)
            latents = self._chunk(request, motion, chunk)
            yield from self._decoded(latents, request.depth_range)
            made = latents[:, :LATENT_CHANNELS].transpose(1, 2)
            motion = torch.cat([motion, made], dim=1)[:, -length.given :]
            done += chunk

    def _heard(self, samples: NDArray[np.int16]) -> SpeechStream:
        parts = speech_parts(self.speech_network, samples, windows=WindowSettings())
        return SpeechStream(parts, frames=whole_frames(samples), window=self._length.speech)

    @torch.inference_mode()
    def _encoded(self, reference: Tensor) -> Tensor:
        picture = (reference * 2 - 1).to(self.device, self.denoiser.dtype)
        return encode(self.vae, picture)

    @torch.inference_mode()
    def _seen(self, portrait: Tensor) -> Reference:
        features = reference_features(self.reference_net, portrait, self._prompt())
        return Reference(keys=reference_keys(self.denoiser, features))

    @torch.inference_mode()
    def _chunk(self, request: _Request, motion: Tensor, count: int) -> Tensor:
        """Clean latents of the next frames, (1, 8, count, h, w); motion (1, n, 4, h, w) are those before."""
        shape = (1, 2 * LATENT_CHANNELS, count, *motion.shape[-2:])
        noise = randn_tensor(shape, request.generator, device=self.device, dtype=self.denoiser.dtype)
        windows = request.speech.take(count)[None].to(self.device)
        return denoise(
            self._prediction(request, motion, windows), noise, schedule=self.scheduler, steps=request.steps
        )

    def _prediction(self, request: _Request, motion: Tensor, windows: Tensor) -> Prediction:
        """Guided first by the portrait, then by the speech.

        A condition whose scale is 1 is in every prediction: there is none without it to be made and paid for.
        """
        prompt = self._prompt()
        features = motion_features(self.reference_net, motion, prompt)

        def speech(*, is_heard: bool) -> Speech:
            keep = torch.tensor([is_heard], device=self.device)
            return Speech(adapter=self.speech_adapter, tokens=self.speech_adapter(windows, keep))

        def predict(seen: Reference | None, speech: Speech) -> Prediction:
            known = {"speech": speech} if seen is None else {"speech": speech, "reference": seen}
            return lambda latents, level: cast(
                Tensor,
                self.denoiser(latents, level, prompt, motion=features, cross_attention_kwargs=known).sample,
            )

        first_speech = speech(is_heard=request.speech_scale == 1)
        guides = []
        if request.reference_scale == 1:
            first = predict(request.seen, first_speech)
        else:
            first = predict(None, first_speech)
            guides.append(Guide(scale=request.reference_scale, predict=predict(request.seen, first_speech)))
        # as the last guide, the speech at scale 0 would add nothing
        if request.speech_scale not in (0, 1):
            spoken = predict(request.seen, speech(is_heard=True))
            guides.append(Guide(scale=request.speech_scale, predict=spoken))
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
            f"{wanted[0]} x {wanted[1]}; take the network of the dataset version that it was trained on"
        )


# as for PortraitRGBDPipeline
cast(Any, diffusers).PortraitRGBDVideoPipeline = PortraitRGBDVideoPipeline
