"""The table of stages: its names, its networks, and the documentation that shows it."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from model.training.activation_memory import shapes_only
from model.training.profiles import Profile, StageName
from tasks.training.run_folder import RunFolder
from tasks.training.stages import STAGES, check_order, find_stage
from tasks.training.training_stage import TrainingStage
from tests.conftest import REPOSITORY
from tests.small_training import toy_profile

PLANNED = [stage for stage in STAGES if stage.shapes is not None]


def test_a_profile_has_settings_for_each_stage_in_this_order() -> None:
    names = tuple(stage.name for stage in STAGES)
    assert names == get_args(StageName)
    assert set(names) <= Profile.model_fields.keys()
    assert toy_profile().stages("all") == names


def test_a_stage_starts_from_one_before_it() -> None:
    for index, stage in enumerate(STAGES):
        assert stage.after is None or stage.after in [earlier.name for earlier in STAGES[:index]]


@pytest.mark.parametrize("stage", PLANNED, ids=lambda stage: stage.name)
def test_the_networks_of_a_record_are_those_of_its_step(stage: TrainingStage) -> None:
    with shapes_only():
        assert tuple(stage.untrained_step(toy_profile()).networks()) == stage.networks


def test_an_unknown_stage_is_answered_with_the_names() -> None:
    with pytest.raises(ValueError, match="stage 'video': take one of autoencoder, joint, inpaint, motion"):
        find_stage("video")


def test_only_stages_on_latents_have_shapes() -> None:
    with pytest.raises(ValueError, match="stage autoencoder trains on pictures"):
        find_stage("autoencoder").sample_shapes(toy_profile())


def test_a_stage_whose_start_is_missing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = RunFolder(tmp_path)
    check_order(["joint", "motion"], folder=folder)
    with pytest.raises(
        ValueError, match=rf"motion starts from stage joint.* in {tmp_path}.*--stage joint first"
    ):
        check_order(["motion"], folder=folder)
    monkeypatch.setattr(RunFolder, "finished", lambda _: {"joint": 1})
    check_order(["motion"], folder=folder)


def test_the_documentation_shows_the_table() -> None:
    rows = [
        f"| {stage.name} | {stage.after or ''} | {', '.join(stage.networks)} | {stage.summary} |"
        for stage in STAGES
    ]
    assert "\n".join(rows) in (REPOSITORY / "docs" / "training.md").read_text()
