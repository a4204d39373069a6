"""From a stage's networks to a pipeline that needs no dataset and no trainer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transformers.utils.logging import disable_progress_bar

from model.networks.noise_schedule import noise_schedule
from model.networks.pretrained import load_vae
from model.networks.prompt import Prompt
from model.pipelines.pipeline_image import PortraitRGBDPipeline
from model.pipelines.pipeline_video import PortraitRGBDVideoPipeline
from model.training.profiles import Profile
from tasks.store.blobs import Store
from tasks.store.versions import Version
from tasks.training.run_folder import RunFolder, StageRecord
from tasks.training.speech_network import speech_network
from tasks.training.stage_plans import load_network

IMAGE, VIDEO = "pipeline", "video_pipeline"
"""Folders; the inpaint stage's pipeline takes the place of the joint stage's and can do all that it could."""


def save_image_pipeline(folder: RunFolder, networks: Mapping[str, Any], record: StageRecord) -> None:
    """Write pipeline/ (joint and inpaint stage)."""
    pipeline = PortraitRGBDPipeline(**networks, **_shared(folder, record.training.profile))
    folder.save_pipeline(IMAGE, pipeline, record)


def save_video_pipeline(
    folder: RunFolder, networks: Mapping[str, Any], record: StageRecord, *, version: Version, store: Store
) -> None:
    """Write video_pipeline/ (motion stage), with the network that the version's speech was heard with."""
    length = record.training.profile.motion.length
    pipeline = PortraitRGBDVideoPipeline(
        **networks,
        **_shared(folder, record.training.profile),
        speech_network=speech_network(version, store),
        window_frames=length.frames,
        given_frames=length.given,
        speech_frames=length.speech,
    )
    disable_progress_bar()  # of the speech network's one file
    folder.save_pipeline(VIDEO, pipeline, record)


def _shared(folder: RunFolder, profile: Profile) -> dict[str, Any]:
    return {
        "vae": load_vae(folder.vae, subfolder=None),
        "prompt": load_network(Prompt, folder.prompt),
        "scheduler": noise_schedule(profile.noise),
    }
