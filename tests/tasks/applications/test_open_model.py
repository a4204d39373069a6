"""The loader of saved pipelines: both kinds, what is known of their training, and folders that are wrong."""

from __future__ import annotations

import re
import shutil
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
import torch

from model.pipelines.pipeline_image import PortraitRGBDPipeline
from model.pipelines.pipeline_video import PortraitRGBDVideoPipeline
from tasks.applications.open_model import FOLDERS, is_saved_pipeline, open_inpaint_model, open_model
from tasks.training.run_folder import ORIGIN, PipelineOrigin
from tasks.training.save_networks import IMAGE, VIDEO
from tests.model.tiny_pipelines import SIDE_PX, image_pipeline, rgb, video_pipeline


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training's folder with pipelines of the inpaint and motion stages, and one of the joint stage."""
    folder = tmp_path_factory.mktemp("saved")
    image_pipeline().save_pretrained(folder / "pipeline")
    image_pipeline(inpaint=False).save_pretrained(folder / "joint")
    video_pipeline().save_pretrained(folder / "video_pipeline")
    return folder


@pytest.fixture
def own(saved: Path, tmp_path: Path) -> Path:
    shutil.copytree(saved / "pipeline", tmp_path / "pipeline")
    return tmp_path / "pipeline"


def test_folders_are_those_that_a_training_writes() -> None:
    assert {PortraitRGBDPipeline: IMAGE, PortraitRGBDVideoPipeline: VIDEO} == FOLDERS


def test_a_pipeline_is_ready_and_its_training_unknown_where_nothing_tells_it(saved: Path) -> None:
    opened = open_inpaint_model(saved / "pipeline")
    assert opened.pipeline.side_px == SIDE_PX
    assert opened.pipeline(image=rgb(), num_inference_steps=1).depth_code.shape == (1, SIDE_PX, SIDE_PX)
    assert opened.origin.notices == (f"Unknown training: the pipeline has no {ORIGIN}.",)
    with pytest.raises(FrozenInstanceError):
        opened.pipeline = None


def test_a_joint_pipeline_samples_and_is_refused_where_rgb_is_an_input(saved: Path) -> None:
    opened = open_model(saved / "joint", kind=PortraitRGBDPipeline)
    assert opened.pipeline(samples=2, num_inference_steps=1).rgb.shape == (2, 3, SIDE_PX, SIDE_PX)
    with pytest.raises(
        ValueError, match=r"joint holds the pipeline of the joint stage.*; train --stage inpaint"
    ):
        open_inpaint_model(saved / "joint")


def test_a_video_pipeline_talks(saved: Path) -> None:
    video = open_model(saved / "video_pipeline", kind=PortraitRGBDVideoPipeline).pipeline
    frames = list(video(rgb(), torch.zeros(2 * 640), num_inference_steps=1))
    assert [frame.rgb.shape for frame in frames] == [(3, SIDE_PX, SIDE_PX)] * 2


def test_its_origin_is_read(own: Path) -> None:
    origin = PipelineOrigin(notices=("Synthetic.",))
    (own / ORIGIN).write_text(origin.model_dump_json())
    assert open_model(own, kind=PortraitRGBDPipeline).origin == origin
    (own / ORIGIN).write_text('{"seed": "many"}')
    with pytest.raises(ValueError, match=rf"{ORIGIN}: .*; restore the file, or remove it"):
        open_model(own, kind=PortraitRGBDPipeline)


@pytest.mark.parametrize("kind", FOLDERS)
def test_a_folder_without_a_pipeline_is_named_with_the_cure(tmp_path: Path, kind) -> None:
    assert not is_saved_pipeline(tmp_path)
    message = rf"^{re.escape(str(tmp_path))} has no model_index\.json; give the folder {FOLDERS[kind]}/ of"
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(ValueError, match=message.replace(" has", ".* has")):
            open_model(folder, kind=kind)


def test_the_other_kind_of_pipeline_is_named(saved: Path) -> None:
    assert is_saved_pipeline(saved / "video_pipeline")
    with pytest.raises(
        ValueError,
        match="holds a PortraitRGBDVideoPipeline, need a PortraitRGBDPipeline; give the folder pipeline/",
    ):
        open_inpaint_model(saved / "video_pipeline")
    with pytest.raises(
        ValueError, match=r"need a PortraitRGBDVideoPipeline; give the folder video_pipeline/"
    ):
        open_model(saved / "pipeline", kind=PortraitRGBDVideoPipeline)


@pytest.mark.parametrize("text", ["{", "{}", "[]"])
def test_an_index_that_names_no_class_is_refused(own: Path, text: str) -> None:
    (own / "model_index.json").write_text(text)
    with pytest.raises(ValueError, match=r"model_index\.json names no pipeline class; give the folder"):
        open_model(own, kind=PortraitRGBDPipeline)


def test_pickled_weights_are_not_read(own: Path) -> None:
    (weights,) = (own / "denoiser").glob("*.safetensors")
    torch.save({}, weights.with_suffix(".bin"))
    weights.unlink()
    with pytest.raises(ValueError, match=r"pipeline is incomplete: .*weights are read from safetensors only"):
        open_model(own, kind=PortraitRGBDPipeline)
