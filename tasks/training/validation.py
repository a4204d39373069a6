"""Pictures of fixed samples while a stage trains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import AutoencoderKL
from torch import Tensor

from model.autoencoder import decode
from model.denoiser import INPAINT_LAYOUT
from model.depth_code import from_picture
from model.noise_schedule import noise_schedule
from model.pipeline_image import PortraitRGBDPipeline
from model.pretrained import load_vae
from model.prompt import Prompt
from tasks.read_version import Split, TrainingClips
from tasks.training.run_folder import RunFolder, TrainingFacts
from tasks.training.stage_plans import load_network

SAMPLES, STEPS, SEED = 4, 10, 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """A tasks.training.watch.Look for the stages of single pictures."""

    vae: AutoencoderKL
    prompt: Prompt
    scheduler: Any
    rgb: Tensor
    """(B, 3, H, W) in [0, 1], decoded from the samples' latents."""
    code: Tensor
    """(B, H, W), likewise."""

    @classmethod
    def of(cls, facts: TrainingFacts, folder: RunFolder, splits: Mapping[Split, TrainingClips]) -> Validation:
        """Samples spread over the clips of val; of train where the version has no val clips."""
        clips = splits.get("val", splits["train"])
        total = len(clips.clips)
        chosen = [clips.latents(clip, first=0, count=1) for clip in range(0, total, -(-total // SAMPLES))]
        vae = load_vae(folder.vae, subfolder=None).eval()
        with torch.inference_mode():
            rgb = decode(vae, torch.cat([one.rgb for one in chosen]))
            code = from_picture(decode(vae, torch.cat([one.depth for one in chosen])))
        return cls(
            vae=vae,
            prompt=load_network(Prompt, folder.prompt),
            scheduler=noise_schedule(facts.profile.noise),
            rgb=(rgb.clamp(-1, 1) + 1) / 2,
            code=code,
        )

    def __call__(self, networks: Mapping[str, Any]) -> Mapping[str, Tensor]:
        """One sheet: known RGB and depth, made together, and depth from the known RGB where it can."""
        device = networks["denoiser"].device
        pipeline = PortraitRGBDPipeline(
            vae=self.vae, prompt=self.prompt, scheduler=self.scheduler, **networks
        ).to(device)
        pipeline.set_progress_bar_config(disable=True)

        def sample(**given: Tensor) -> Any:
            noise = [torch.Generator().manual_seed(SEED + index) for index in range(len(self.rgb))]
            return pipeline(reference=self.rgb, num_inference_steps=STEPS, generator=noise, **given)

        made = sample()
        rows = [self.rgb, _grey(self.code), made.rgb.cpu(), _grey(made.depth_code.cpu())]
        if tuple(networks["denoiser"].config.input_layout) == INPAINT_LAYOUT:
            rows.append(_grey(sample(image=self.rgb).depth_code.cpu()))
        self.vae.to("cpu")  # training needs the GPU's memory
        return {"known, made, estimated": torch.cat([torch.cat(list(row), dim=2) for row in rows], dim=1)}


def _grey(code: Tensor) -> Tensor:
    """Depth codes (B, H, W) as pictures (B, 3, H, W), near bright."""
    return ((1 - code) / 2)[:, None].expand(-1, 3, -1, -1)
