"""What a finished stage leaves: its networks, and a pipeline that needs no dataset and no trainer."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import AutoencoderKL

from model.networks import transformers_hooks
from model.networks.autoencoder import fit_scaling_factor
from model.networks.noise_schedule import noise_schedule
from model.networks.pretrained import load_vae
from model.networks.prompt import Prompt
from model.pipelines.pipeline_image import PortraitRGBDPipeline
from model.pipelines.pipeline_video import PortraitRGBDVideoPipeline
from model.samples.depth_code import as_picture
from tasks.training.open_training import Training
from tasks.training.open_version import PictureClips, speech_network
from tasks.training.run_folder import StageRecord
from tasks.training.stage_plans import load_network
from tasks.training.training_stage import StagePlan

IMAGE, VIDEO = "pipeline", "video_pipeline"
"""Folders. The inpaint stage's pipeline replaces the joint stage's and can do all that it could."""
FITTED_CLIPS = 64
"""Number of clips whose first frame the VAE's scaling factor is fitted to."""


def save_autoencoder(training: Training, plan: StagePlan, record: StageRecord) -> StageRecord:
    """Fit the VAE's scaling factor and save the VAE."""
    assert plan.pictures is not None, "this stage trains on pictures"
    _fit_scale(plan.networks["vae"], plan.pictures)
    return training.folder.finish(record, plan.networks, also=None)


def save_image_networks(training: Training, plan: StagePlan, record: StageRecord) -> StageRecord:
    """Save the networks and pipeline/ (joint and inpaint stage)."""

    def save_pipeline(done: StageRecord) -> None:
        pipeline = PortraitRGBDPipeline(**plan.networks, **_shared(training))
        training.folder.save_pipeline(IMAGE, pipeline, done)

    return training.folder.finish(record, plan.networks, also=save_pipeline)


def save_video_networks(training: Training, plan: StagePlan, record: StageRecord) -> StageRecord:
    """Save the networks and video_pipeline/ (motion stage), with the speech network behind the features."""
    length = training.profile.motion.length

    def save_pipeline(done: StageRecord) -> None:
        pipeline = PortraitRGBDVideoPipeline(
            **plan.networks,
            **_shared(training),
            speech_network=speech_network(training.version, training.encoder.store),
            window_frames=length.frames,
            num_motion_frames=length.num_motion_frames,
            speech_frames=length.speech,
        )
        transformers_hooks.hide_progress_bars()
        training.folder.save_pipeline(VIDEO, pipeline, done)

    return training.folder.finish(record, plan.networks, also=save_pipeline)


def _shared(training: Training) -> dict[str, Any]:
    """Components that both kinds of pipeline have."""
    folder = training.folder
    return {
        "vae": load_vae(folder.vae, subfolder=None),
        "prompt": load_network(Prompt, folder.prompt),
        "scheduler": noise_schedule(training.profile.noise),
    }


def _fit_scale(vae: AutoencoderKL, clips: PictureClips) -> None:
    """Give latents of RGB and depth together unit variance."""
    every = range(0, len(clips.kinds), max(len(clips.kinds) // FITTED_CLIPS, 1))
    chosen = [clips.picture(clip, 0) for clip in every]
    pictures = torch.cat([torch.cat([picture.rgb, as_picture(picture.code)]) for picture in chosen])
    # the diffusion stages add noise of unit variance: latents need a known scale
    with torch.inference_mode():
        fit_scaling_factor(vae, vae.eval().encode(pictures).latent_dist.mean)
