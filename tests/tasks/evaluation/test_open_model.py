"""Saved pipelines opened for evaluation: which ones, and what is known of their training."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tasks.evaluation.open_model import open_model
from tasks.training.run_folder import ORIGIN, PipelineOrigin
from tests.model.tiny_pipelines import SIDE_PX, image_pipeline, rgb, video_pipeline


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    image_pipeline().save_pretrained(folder / "pipeline")
    return folder / "pipeline"


@pytest.fixture
def own(saved: Path, tmp_path: Path) -> Path:
    shutil.copytree(saved, tmp_path / "pipeline")
    return tmp_path / "pipeline"


def test_a_pipeline_is_ready_and_its_training_unknown_where_nothing_tells_it(saved: Path) -> None:
    opened = open_model(saved, video=saved.with_name("video_pipeline"))
    assert opened.pipeline.takes_given
    assert opened.pipeline.side_px == SIDE_PX
    assert opened.pipeline(image=rgb(), num_inference_steps=1).depth_code.shape == (1, SIDE_PX, SIDE_PX)
    assert opened.video is None
    assert opened.origin.notices == (f"Unknown training: the pipeline has no {ORIGIN}.",)


def test_what_talks_is_opened_too(own: Path) -> None:
    video_pipeline().save_pretrained(own.with_name("video_pipeline"))
    opened = open_model(own, video=own.with_name("video_pipeline"))
    assert opened.video is not None
    assert opened.video.side_px == SIDE_PX
    assert open_model(own, video=None).video is None


def test_its_origin_is_read(own: Path) -> None:
    origin = PipelineOrigin(notices=("Synthetic.",))
    (own / ORIGIN).write_text(origin.model_dump_json())
    assert open_model(own, video=None).origin == origin
    (own / ORIGIN).write_text('{"seed": "many"}')
    with pytest.raises(ValueError, match=rf"{ORIGIN}: "):
        open_model(own, video=None)


def test_folders_that_are_no_such_pipeline_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has no model_index\.json; give the folder pipeline/"):
        open_model(tmp_path, video=None)
    image_pipeline(inpaint=False).save_pretrained(tmp_path / "joint")
    with pytest.raises(ValueError, match="is of the joint stage and takes no RGB; train --stage inpaint"):
        open_model(tmp_path / "joint", video=None)
