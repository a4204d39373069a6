"""A version opened for evaluation: the split's frames, and pictures of no other clips than are read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tasks.applications.open_model import OpenedModel
from tasks.dataset.encode_version import VersionEncoder
from tasks.evaluation import open_evaluation as opening
from tasks.evaluation.estimators import mean_map_clips
from tasks.evaluation.evaluate_samples import speaker
from tasks.evaluation.open_evaluation import EvaluationSettings, open_evaluation
from tasks.progress import StageProgress
from tasks.store.blobs import Store
from tasks.store.versions import read_version
from tasks.training.run_folder import PipelineOrigin
from tests.model.tiny_pipelines import video_pipeline
from tests.small_training import NAME, NOTICE

SIDE_PX = 16


@pytest.fixture(autouse=True)
def model(monkeypatch: pytest.MonkeyPatch) -> OpenedModel:
    """A model none of whose networks is called."""
    origin = PipelineOrigin(notices=("Trained for minutes.", NOTICE))
    model = OpenedModel(pipeline=SimpleNamespace(side_px=SIDE_PX), origin=origin)
    monkeypatch.setattr(opening, "open_inpaint_model", lambda _folder: model)
    return model


def settings(store: Store, **facts) -> EvaluationSettings:
    given = {"store": store.root, "name": NAME, "model": Path("m"), "out": Path("o"), "workers": 1}
    return EvaluationSettings(**{**given, **facts})


def none(_rows, _split) -> list:
    return []


@pytest.fixture
def progress() -> Iterator[StageProgress]:
    with StageProgress(log=None) as progress:
        yield progress


def test_only_clips_that_are_read_are_cached(toy_store: Store, progress: StageProgress) -> None:
    split = {"heard", "still40", "still41", "still50", "still51"}
    with open_evaluation(settings(toy_store), progress, further=none) as evaluation:
        assert set(evaluation.clips.digests) == split
        assert {row.clip_id for row in evaluation.frames.rows} == split
    with open_evaluation(settings(toy_store), progress, further=mean_map_clips) as evaluation:
        train = {row.clip_id for row in evaluation.version.rows if row.split == "train"}
        assert set(evaluation.clips.digests) == split | train
    with open_evaluation(settings(toy_store, split="val"), progress, further=speaker) as evaluation:
        assert set(evaluation.clips.digests) == {"still30", "still31", "heard"}


def test_pictures_that_training_cached_are_read_again(
    toy_store: Store, progress: StageProgress, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    whole = VersionEncoder.pictures

    def pictures(encoder, rows, settings):
        asked.append(settings.every)
        return whole(encoder, rows, settings)

    monkeypatch.setattr(VersionEncoder, "pictures", pictures)
    with open_evaluation(settings(toy_store), progress, further=none) as evaluation:
        assert asked == [1]
        assert evaluation.clips.every["heard"] == 1


def test_facts_are_of_the_version_and_the_model(
    toy_store: Store, progress: StageProgress, model: OpenedModel
) -> None:
    with open_evaluation(settings(toy_store), progress, further=none) as evaluation:
        assert evaluation.facts == {
            "dataset": NAME,
            "number": 1,
            "root": read_version(toy_store, NAME).root,
            "split": "test",
            "origin": model.origin,
            "side_px": SIDE_PX,
            "notices": ("Trained for minutes.", NOTICE),
        }


def test_the_video_pipeline_beside_the_model_is_opened(
    toy_store: Store, progress: StageProgress, tmp_path: Path
) -> None:
    facts = {"model": tmp_path / "pipeline"}
    with open_evaluation(settings(toy_store, **facts), progress, further=none) as evaluation:
        assert evaluation.video is None
    video_pipeline().save_pretrained(tmp_path / "video_pipeline")
    with open_evaluation(settings(toy_store, **facts), progress, further=none) as evaluation:
        assert evaluation.video.side_px == SIDE_PX


def test_a_split_without_clips_is_refused(
    toy_store: Store, progress: StageProgress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "split_rows", lambda _rows, _split: [])
    with (
        pytest.raises(ValueError, match=f"version 1 of {NAME} has no published test clips"),
        open_evaluation(settings(toy_store), progress, further=none),
    ):
        pass


def test_the_speaker_is_of_the_split_where_one_is(toy_store: Store) -> None:
    rows = read_version(toy_store, NAME).rows
    assert [[row.clip_id for row in speaker(rows, split)] for split in ("train", "test", "val")] == [
        ["talk"],
        ["heard"],
        ["heard"],
    ]
    assert speaker([row for row in rows if row.kind == "studio"], "test") == []


def test_the_mean_map_needs_clips_to_train_on(toy_store: Store) -> None:
    rows = read_version(toy_store, NAME).rows
    assert {row.split for row in mean_map_clips(rows, "test")} == {"train"}
    with pytest.raises(ValueError, match="no published train clips to take the mean depth map of"):
        mean_map_clips([row for row in rows if row.split == "test"], "test")
