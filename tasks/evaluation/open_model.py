"""Saved pipelines, opened for evaluation: nothing but safetensors is read."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch
from diffusers.utils.logging import disable_progress_bar as hide_diffusers_bar
from pydantic import BaseModel, ValidationError
from transformers.utils.logging import disable_progress_bar as hide_transformers_bar

from model.pipelines.pipeline_image import PortraitRGBDPipeline
from model.pipelines.pipeline_video import PortraitRGBDVideoPipeline
from tasks.training.run_folder import ORIGIN, PipelineOrigin


class OpenedModel(BaseModel, frozen=True, arbitrary_types_allowed=True):
    """A pipeline and what is known of its training."""

    pipeline: PortraitRGBDPipeline
    origin: PipelineOrigin
    video: PortraitRGBDVideoPipeline | None
    """Of the motion stage, where the training has one."""


def open_model(folder: Path, *, video: Path | None) -> OpenedModel:
    """Load a pipeline of the inpaint stage, and the video pipeline where there is one.

    Raises:
        ValueError: the folder is no such pipeline.
    """
    if not (folder / "model_index.json").is_file():
        raise ValueError(f"{folder} has no model_index.json; give the folder pipeline/ of a training")
    hide_diffusers_bar()
    hide_transformers_bar()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    pipeline = PortraitRGBDPipeline.from_pretrained(folder, use_safetensors=True, local_files_only=True)
    if not pipeline.takes_given:
        raise ValueError(
            f"{folder} is of the joint stage and takes no RGB; train --stage inpaint, then evaluate"
        )
    pipeline.set_progress_bar_config(disable=True)
    moving = None
    if video is not None and (video / "model_index.json").is_file():
        moving = PortraitRGBDVideoPipeline.from_pretrained(video, use_safetensors=True, local_files_only=True)
        moving = moving.to(device)
    return OpenedModel(
        pipeline=cast(PortraitRGBDPipeline, pipeline.to(device)), origin=_origin(folder), video=moving
    )


def _origin(folder: Path) -> PipelineOrigin:
    path = folder / ORIGIN
    try:
        return PipelineOrigin.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return PipelineOrigin(notices=(f"Unknown training: the pipeline has no {ORIGIN}.",))
    except ValidationError as invalid:
        raise ValueError(f"{path}: {invalid.errors()[0]['msg']}") from invalid
