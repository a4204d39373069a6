"""The loader of saved pipelines, for pictures and for video, used by applications and by evaluation.

    model = open_model(Path("R/pipeline"), kind=PortraitRGBDPipeline)
    sample = model.pipeline(samples=1)

Weights are read from safetensors only, and nothing is fetched from the network.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import torch
from diffusers import DiffusionPipeline
from pydantic import ValidationError

from model.networks import diffusers_hooks, transformers_hooks
from model.pipelines.pipeline_image import PortraitRGBDPipeline
from model.pipelines.pipeline_video import PortraitRGBDVideoPipeline
from tasks.training.run_folder import ORIGIN, PipelineOrigin

INDEX = "model_index.json"
"""File of every saved diffusers pipeline; it names the class and the components."""
FOLDERS = {PortraitRGBDPipeline: "pipeline", PortraitRGBDVideoPipeline: "video_pipeline"}
"""Kind of pipeline -> folder of a training that holds it."""

P = TypeVar("P", bound=DiffusionPipeline)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedModel(Generic[P]):
    """A saved pipeline, ready to sample, and what is known about its training."""

    pipeline: P
    """On the GPU if there is one."""
    origin: PipelineOrigin


def is_saved_pipeline(folder: Path) -> bool:
    """Whether the folder holds a saved pipeline of any kind."""
    return (folder / INDEX).is_file()


def open_model(folder: Path, *, kind: type[P]) -> OpenedModel[P]:
    """Load a saved pipeline.

    Args:
        folder: folder `pipeline/` or `video_pipeline/` of a training.
        kind: PortraitRGBDPipeline or PortraitRGBDVideoPipeline.

    Raises:
        ValueError: the folder does not hold such a pipeline, or a file of it is missing or invalid; names the
            folder, what is wrong and the cure.
    """
    # checked before diffusers reads the folder: its own errors name no cure
    _check_kind(folder, kind)
    diffusers_hooks.hide_progress_bars()
    transformers_hooks.hide_progress_bars()
    try:
        pipeline = kind.from_pretrained(folder, use_safetensors=True, local_files_only=True)
    except OSError as error:
        raise ValueError(
            f"{folder} is incomplete: {error}; save it again with save_pretrained (weights are read from "
            "safetensors only)"
        ) from error
    pipeline.set_progress_bar_config(disable=True)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return OpenedModel(pipeline=pipeline.to(device), origin=_origin(folder))


def open_inpaint_model(folder: Path) -> OpenedModel[PortraitRGBDPipeline]:
    """Load a picture pipeline that takes RGB or depth as input (paper section 4.1).

    Raises:
        ValueError: as open_model, or the pipeline is that of the joint stage, which takes neither.
    """
    model = open_model(folder, kind=PortraitRGBDPipeline)
    if not model.pipeline.takes_given:
        raise ValueError(
            f"{folder} holds the pipeline of the joint stage, which takes no RGB and no depth as input; "
            "train --stage inpaint, which replaces it"
        )
    return model


def _check_kind(folder: Path, kind: type[P]) -> None:
    cure = f"give the folder {FOLDERS[kind]}/ of a training"
    if not is_saved_pipeline(folder):
        raise ValueError(f"{folder} has no {INDEX}; {cure}")
    try:
        found = json.loads((folder / INDEX).read_bytes())["_class_name"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{folder / INDEX} names no pipeline class; {cure}") from error
    if found != kind.__name__:
        raise ValueError(f"{folder} holds a {found}, need a {kind.__name__}; {cure}")


def _origin(folder: Path) -> PipelineOrigin:
    path = folder / ORIGIN
    try:
        return PipelineOrigin.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return PipelineOrigin(notices=(f"Unknown training: the pipeline has no {ORIGIN}.",))
    except ValidationError as invalid:
        raise ValueError(
            f"{path}: {invalid.errors()[0]['msg']}; restore the file, or remove it to open the pipeline "
            "without the facts of its training"
        ) from invalid
