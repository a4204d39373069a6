"""Validation: pictures of fixed samples while a stage trains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import AutoencoderKL
from torch import Tensor
from transformers import Wav2Vec2Model

from model.networks.autoencoder import decode
from model.networks.denoiser import INPAINT_LAYOUT
from model.networks.noise_schedule import noise_schedule
from model.networks.pretrained import load_vae
from model.networks.prompt import Prompt
from model.pipelines.pipeline_image import PortraitRGBDPipeline
from model.pipelines.pipeline_video import PortraitRGBDVideoPipeline
from model.samples.depth_code import from_picture
from model.samples.training_set import Latents, WindowLength, WindowSet
from tasks.dataset.read_version import Split, split_rows
from tasks.media.published_clip import clip_speech
from tasks.training.open_training import Training
from tasks.training.open_version import speech_network
from tasks.training.stage_plans import load_network
from tasks.training.training_stage import StagePlan

SAMPLES, STEPS, SEED = 4, 10, 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureValidation:
    """Pictures for stages of single frames (a tasks.training.callback.ValidationPictures)."""

    vae: AutoencoderKL
    prompt: Prompt
    scheduler: Any
    rgb: Tensor
    """(B, 3, H, W) in [0, 1], decoded from the samples' latents."""
    code: Tensor
    """Depth codes (B, H, W)."""

    def __call__(self, networks: Mapping[str, Any]) -> Mapping[str, Tensor]:
        """One sheet: ground truth, generated RGB and depth; in the inpaint stage also estimated depth."""
        device = networks["denoiser"].device
        pipeline = PortraitRGBDPipeline(
            vae=self.vae, prompt=self.prompt, scheduler=self.scheduler, **networks
        ).to(device)
        pipeline.set_progress_bar_config(disable=True)

        def sample(**known: Tensor) -> Any:
            noise = [torch.Generator().manual_seed(SEED + index) for index in range(len(self.rgb))]
            return pipeline(reference=self.rgb, num_inference_steps=STEPS, generator=noise, **known)

        generated = sample()
        rows = [self.rgb, _grey(self.code), generated.rgb.cpu(), _grey(generated.depth_code.cpu())]
        if tuple(networks["denoiser"].config.input_layout) == INPAINT_LAYOUT:
            rows.append(_grey(sample(image=self.rgb).depth_code.cpu()))
        self.vae.to("cpu")  # training needs the GPU's memory
        return {"ground truth, generated, estimated": _sheet(rows)}


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionValidation:
    """Pictures for the motion stage: the first chunk of a talking clip."""

    vae: AutoencoderKL
    prompt: Prompt
    scheduler: Any
    speech_network: Wav2Vec2Model
    length: WindowLength
    rgb: Tensor
    """(F, 3, H, W) in [0, 1], decoded from the clip's first latents."""
    code: Tensor
    """Depth codes (F, H, W)."""
    speech: Tensor
    """(640 F,) in [-1, 1]."""

    def __call__(self, networks: Mapping[str, Any]) -> Mapping[str, Tensor]:
        """One sheet: ground truth RGB and depth, and what is generated from first frame and speech."""
        pipeline = PortraitRGBDVideoPipeline(
            vae=self.vae,
            prompt=self.prompt,
            scheduler=self.scheduler,
            speech_network=self.speech_network,
            window_frames=self.length.frames,
            num_motion_frames=self.length.num_motion_frames,
            speech_frames=self.length.speech,
            **networks,
        ).to(networks["denoiser"].device)
        pipeline.set_progress_bar_config(disable=True)
        noise = torch.Generator().manual_seed(SEED)
        frames = list(pipeline(self.rgb[:1], self.speech, num_inference_steps=STEPS, generator=noise))
        for network in (self.vae, self.speech_network):
            network.to("cpu")  # training needs the GPU's memory
        codes = torch.stack([frame.depth_code.cpu() for frame in frames])
        rows = [self.rgb, _grey(self.code), torch.stack([frame.rgb.cpu() for frame in frames]), _grey(codes)]
        return {"ground truth, generated": _sheet(rows)}


def validate_pictures(training: Training, plan: StagePlan) -> PictureValidation:
    """Choose samples spread over the clips of val, or of train where the version has no val clips."""
    folder, clips = training.folder, plan.clips.get("val", plan.clips["train"])
    total = len(clips.clips)
    chosen = [clips.latents(clip, first=0, count=1) for clip in range(0, total, -(-total // SAMPLES))]
    vae = load_vae(folder.vae, subfolder=None).eval()
    rgb, code = _decoded(vae, chosen)
    return PictureValidation(
        vae=vae,
        prompt=load_network(Prompt, folder.prompt),
        scheduler=noise_schedule(training.profile.noise),
        rgb=rgb,
        code=code,
    )


def validate_video(training: Training, plan: StagePlan) -> MotionValidation:
    """Choose the first clip of val, else of train, that is long enough and has speech."""
    folder, store, clips = training.folder, training.encoder.store, plan.clips
    length = training.profile.motion.length
    order: tuple[Split, ...] = ("val", "train")
    split, index = next(
        (split, index)
        for split in order
        if split in clips
        for index in WindowSet(clips[split], length=length).clips()
    )
    count = length.frames - length.num_motion_frames
    row = split_rows(training.version.rows, split)[index]
    vae = load_vae(folder.vae, subfolder=None).eval()
    rgb, code = _decoded(vae, [clips[split].latents(index, first=0, count=count)])
    return MotionValidation(
        vae=vae,
        prompt=load_network(Prompt, folder.prompt),
        scheduler=noise_schedule(training.profile.noise),
        speech_network=speech_network(training.version, store),
        length=length,
        rgb=rgb,
        code=code,
        speech=clip_speech(store.checked_blob(row.blobs["clip_audio"]), frames=count),
    )


@torch.inference_mode()
def _decoded(vae: AutoencoderKL, latents: Sequence[Latents]) -> tuple[Tensor, Tensor]:
    """RGB (B, 3, H, W) in [0, 1] and depth codes (B, H, W)."""
    rgb = decode(vae, torch.cat([one.rgb for one in latents]))
    code = from_picture(decode(vae, torch.cat([one.depth for one in latents])))
    return (rgb.clamp(-1, 1) + 1) / 2, code


def _sheet(rows: Sequence[Tensor]) -> Tensor:
    """Put rows of pictures (B, 3, H, W) into one sheet (3, rows H, B W)."""
    return torch.cat([torch.cat(list(row), dim=2) for row in rows], dim=1)


def _grey(code: Tensor) -> Tensor:
    """Depth codes (B, H, W) -> grey pictures (B, 3, H, W), near bright."""
    return ((1 - code) / 2)[:, None].expand(-1, 3, -1, -1)
