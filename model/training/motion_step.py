"""Stage 3, on windows of talking clips: motion modules and speech (paper 4.2, 7.1, 7.2)."""

from __future__ import annotations

from typing import cast

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from torch import Tensor

from model.networks.denoiser import JOINT_LAYOUT, check_layout
from model.networks.motion import (
    MotionFeatures,
    VideoDenoiser,
    freeze_all_but_motion,
    motion_features,
    video_denoiser,
)
from model.networks.noise_schedule import add_noise, loss_target
from model.networks.prompt import Prompt
from model.networks.reference import Features, Reference, install_reference_attention, reference_features
from model.networks.speech_adapter import Speech, SpeechAdapter
from model.samples.training_set import Sample, WindowLength
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
from model.training.image_step import DiffusionStageSettings
from model.training.stage_start import StageStart


class MotionSettings(DiffusionStageSettings):
    """Settings of the motion stage, which starts from the joint stage's networks."""

    length: WindowLength = WindowLength()
    """Lengths of a training window."""
    zero_output: bool = True
    """Start motion modules with a zero output, so that at step 0 each frame is the joint denoiser's."""


class MotionStep(DiffusionStep):
    """Video: motion modules and the speech adapter train, everything before them is frozen (paper 7.2)."""

    def __init__(
        self,
        *,
        denoiser: VideoDenoiser,
        reference_net: UNet2DConditionModel,
        speech_adapter: SpeechAdapter,
        prompt: Prompt,
        schedule: DDIMScheduler,
        num_motion_frames: int,
        loss: LossSettings,
    ) -> None:
        """Freeze what the joint stage has learnt; the first `num_motion_frames` of a window are clean."""
        super().__init__()
        check_layout(cast(UNet2DConditionModel, denoiser), JOINT_LAYOUT)
        check_layout(reference_net, ("z_rgb",))
        freeze_all_but_motion(denoiser)
        self.denoiser = denoiser
        self.reference_net = install_reference_attention(reference_net).requires_grad_(False)
        self.speech_adapter = speech_adapter.requires_grad_(True)
        self.prompt = prompt
        self._schedule, self._num_motion_frames, self._loss = schedule, num_motion_frames, loss

    def networks(self) -> Networks:
        """The networks by their names in a pipeline."""
        return {
            "denoiser": self.denoiser,
            "reference_net": self.reference_net,
            "speech_adapter": self.speech_adapter,
        }

    def corruption(self, batch: Sample) -> Corruption:
        """Draw what is random; reads the seeds and the shapes of the batch, not its values."""
        _, frames, _, height, width = batch["rgb"].shape
        return draw_corruption(
            batch["seed"],
            shape=(RGBD_CHANNELS, frames - self._num_motion_frames, height, width),
            mask=torch.ones(1, len(MODALITIES), 1, 1, 1),
            dropout={
                "reference": self._loss.reference_dropout,
                "speech": self._loss.speech_dropout,
                "motion": self._loss.motion_dropout,
            },
        )

    def loss(self, batch: Sample, corruption: Corruption) -> StepLoss:
        """Loss of a batch of WindowSet, on the frames after the motion frames.

        rgb and depth (B, F, 4, h, w), reference (B, 4, h, w), speech (B, F, k, layers, D), seed (B,).
        """
        first = self._num_motion_frames
        # only frames after the motion frames are noised and compared (paper 5.1): (B, 8, F - n, h, w)
        clean = torch.cat([batch["rgb"][:, first:], batch["depth"][:, first:]], dim=2).transpose(1, 2)
        noise, level, mask = (
            drawn.to(clean.device) for drawn in (corruption.noise, corruption.level, corruption.mask)
        )
        prompt = self.prompt()
        features, motion = self._clean_conditions(batch, prompt, keep_motion=corruption.keep["motion"])
        tokens = self.speech_adapter(batch["speech"][:, first:], corruption.keep["speech"])
        prediction = self.denoiser(
            add_noise(self._schedule, clean, noise, level),
            level,
            prompt,
            motion=motion,
            cross_attention_kwargs={
                "reference": Reference(features=features, keep=corruption.keep["reference"]),
                "speech": Speech(adapter=self.speech_adapter, tokens=tokens),
            },
        ).sample
        target = loss_target(self._schedule, clean, noise, level)
        return denoising_loss(prediction, target, mask=mask, level=level)

    @torch.no_grad()
    def _clean_conditions(
        self, batch: Sample, prompt: Tensor, *, keep_motion: Tensor | None
    ) -> tuple[Features, MotionFeatures]:
        """The ReferenceNet's features of the reference and of the motion frames, both clean (paper 7.1)."""
        reference, past = batch["reference"], batch["rgb"][:, : self._num_motion_frames]
        if keep_motion is not None:
            # a clip's first chunk has no past: there the reference stands in for every motion frame
            keep = keep_motion.to(past.device)[:, None, None, None, None]
            past = torch.where(keep, past, reference[:, None])
        return (
            reference_features(self.reference_net, reference, prompt),
            motion_features(self.reference_net, past, prompt),
        )


def motion_step(start: StageStart, settings: MotionSettings) -> MotionStep:
    """Stage 3 on the joint stage's networks; motion modules and the speech adapter are new."""
    length = settings.length
    adapter = start.motion_adapter(start.denoiser)
    denoiser = video_denoiser(start.denoiser, adapter, zero_output=settings.zero_output)
    speech_adapter = SpeechAdapter.for_denoiser(
        denoiser,
        layers=start.speech_layers,
        layer_width=start.speech_width,
        window_frames=length.speech,
        **start.speech.model_dump(),
    )
    return MotionStep(
        denoiser=denoiser,
        reference_net=start.reference_net,
        speech_adapter=speech_adapter,
        prompt=start.prompt,
        schedule=start.schedule,
        num_motion_frames=length.num_motion_frames,
        loss=settings.loss,
    )
