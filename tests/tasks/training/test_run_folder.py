"""A training's folder: what it is bound to, that no kill halves it, and that changed weights are found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from model.training.profiles import Profile
from model.training.trainer_settings import TrainerSettings
from tasks.training import run_folder
from tasks.training.run_folder import RunFolder, StageRecord, TrainingFacts
from tests.small_training import toy_profile


class Network:
    """Saves as a network does."""

    def __init__(self, content: str) -> None:
        self.content = content

    def save_pretrained(self, folder: Path) -> None:
        folder.mkdir()
        for name in ("merges.txt", "weights.safetensors"):
            (folder / name).write_text(f"{name} {self.content}")


class Killed(BaseException):
    pass


def facts(**trainer: Any) -> TrainingFacts:
    profile = toy_profile()
    joint = profile.joint.model_copy(update={"trainer": profile.joint.trainer.model_copy(update=trainer)})
    return TrainingFacts(
        dataset="toys", root="a" * 64, seed=0, profile=profile.model_copy(update={"joint": joint})
    )


def record() -> StageRecord:
    return StageRecord(stage="joint", training=facts(), steps=1, weights={}, tools={}, notices=())


def whole(folder: Path) -> str | None:
    """What the network in a folder holds; None where there is none."""
    if not folder.is_dir():
        return None
    held = {path.read_text().removeprefix(path.name) for path in folder.iterdir()}
    assert len(held) == 1
    assert len(list(folder.iterdir())) == 2
    return held.pop().strip()


@pytest.mark.parametrize(
    "change",
    [
        {"accumulation": 2},
        {"gradient_checkpointing": True},
        {"loader_workers": 1},
        {"keep": 9},
        {"log_every": 3},
    ],
)
def test_what_changes_nothing_that_is_learnt_may_change(tmp_path: Path, change: dict[str, Any]) -> None:
    """Out of memory in the middle of a training: it goes on with smaller parts."""
    RunFolder(tmp_path).begin(facts())
    begun = (tmp_path / "training.json").read_bytes()
    RunFolder(tmp_path).begin(facts(**change))
    assert (tmp_path / "training.json").read_bytes() == begun


def test_all_else_is_another_training(tmp_path: Path) -> None:
    RunFolder(tmp_path).begin(facts())
    with pytest.raises(
        ValueError, match=r"profile.joint.trainer.learning_rate is 0.001, now 0.5; take another"
    ):
        RunFolder(tmp_path).begin(facts(learning_rate=0.5))


def test_every_setting_of_a_profile_binds_but_those_of_the_loop() -> None:
    recorded = facts().profile.recorded()
    assert recorded.keys() == Profile.model_fields.keys()
    left_out = TrainerSettings.model_fields.keys() - recorded["motion"]["trainer"].keys()
    assert left_out == {
        "accumulation",
        "checkpoint_every",
        "gradient_checkpointing",
        "keep",
        "loader_workers",
        "log_every",
        "validate_every",
    }


@pytest.mark.parametrize("operation", ["rename", "sync_file", "sync_folder", "rmtree"])
@pytest.mark.parametrize("survived", range(3))
def test_a_kill_while_it_saves_leaves_a_whole_folder_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, operation: str, survived: int
) -> None:
    folder, target = RunFolder(tmp_path), tmp_path / "pipeline"
    folder.save(target, Network("old").save_pretrained)
    left = iter(range(survived))
    holder: Any = {"rename": Path, "rmtree": run_folder.shutil}.get(operation, run_folder)
    real = getattr(holder, operation)

    def killed_at(*arguments: Any, **options: Any) -> Any:
        if next(left, None) is None:
            raise Killed
        return real(*arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(holder, operation, killed_at)
        try:
            folder.save(target, Network("new").save_pretrained)
        except Killed:
            assert whole(target) in ("old", "new", None)
    folder.save(target, Network("new").save_pretrained)
    assert whole(target) == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["pipeline"]


def test_networks_that_were_changed_are_not_gone_on_from(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.finish(record(), {"denoiser": Network("first")}, also=None)
    folder.check_weights("joint")
    weights = tmp_path / "joint" / "denoiser" / "weights.safetensors"
    weights.write_text("another")
    with pytest.raises(ValueError, match=r"weights.safetensors is not what stage joint saved; .* again"):
        folder.check_weights("joint")
    weights.unlink()
    with pytest.raises(ValueError, match="is not what stage joint saved"):
        folder.check_weights("joint")


def test_a_stage_that_is_not_finished_has_nothing_to_check(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.finish(record(), {"denoiser": Network("first")}, also=None)
    (tmp_path / "joint" / "denoiser" / "weights.safetensors").write_text("another")
    (tmp_path / "joint" / "run.json").unlink()
    folder.check_weights("joint")
    assert folder.finished() == {}
