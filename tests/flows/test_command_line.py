"""The command line: what is wrong is said in one line, before work starts, with the cure."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from flows.command_line import FLOWS, main, read_flags
from flows.train import TrainSettings
from tasks.store.blobs import Store
from tests.conftest import RealBuild, RunCommand


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    status: int
    out: str
    err: str


Command = Callable[..., Ended]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """`portrait-rgbd` with arguments, in this process."""

    def run(*arguments: str | Path) -> Ended:
        monkeypatch.setattr(sys, "argv", ["portrait-rgbd", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        code = ended.value.code
        if isinstance(code, str):  # Python itself prints it and ends with 1
            return Ended(status=1, out=out, err=err + code)
        return Ended(status=int(code or 0), out=out, err=err)

    return run


def test_without_arguments_the_commands_are_listed(command: Command) -> None:
    ended = command()
    assert ended.status == 0
    assert all(name in ended.out for name in FLOWS)


def test_an_unknown_command_is_named_and_the_known_ones_listed(command: Command) -> None:
    ended = command("build-datset")
    assert ended.status == 1
    assert "'build-datset'" in ended.err
    assert "build-dataset" in ended.err
    assert ended.out == ""


@pytest.mark.parametrize("name", FLOWS)
def test_every_command_says_what_its_settings_mean(name: str, command: Command) -> None:
    ended = command(name, "--help")
    assert ended.status == 0
    assert f"portrait-rgbd {name}" in ended.out
    flags = [line for line in ended.out.splitlines() if line.lstrip().startswith("--")]
    assert len(flags) >= 1


WRONG = {
    "--workers": "0",
    "--name": "../up",
    "--shard-clips": "none",
    "--report-clips": "-1",
    "--stages.probe.min-frames": "0",
    "--splits.val-share": "2",
    "--run.job-timeout-s": "0",
}


@pytest.mark.parametrize(("flag", "value"), WRONG.items())
def test_a_bad_setting_is_named_with_its_value_before_work_starts(
    flag: str, value: str, command: Command, tmp_path: Path
) -> None:
    given = {"--store": str(tmp_path / "store"), "--name": "n", "--clips": str(tmp_path)} | {flag: value}
    ended = command("build-dataset", *(word for pair in given.items() for word in pair))
    assert ended.status == 1
    (line,) = ended.err.splitlines()
    assert line.startswith(f"{flag}: ")
    assert value in line
    assert not (tmp_path / "store").exists()


def test_a_missing_setting_is_named(command: Command) -> None:
    ended = command("build-dataset", "--name", "n")
    assert ended.status != 0
    assert "--store" in ended.err


def test_an_unknown_setting_is_named(command: Command, tmp_path: Path) -> None:
    ended = command("build-dataset", "--store", tmp_path / "s", "--name", "n", "--cilps", tmp_path)
    assert ended.status != 0
    assert "cilps" in ended.err


def test_a_source_folder_that_is_missing_is_named(command: Command, tmp_path: Path) -> None:
    ended = command("build-dataset", "--store", tmp_path / "s", "--name", "n", "--clips", tmp_path / "no")
    assert (ended.status, ended.out) == (1, "")
    assert f"'{tmp_path / 'no'}' is not a folder" in ended.err
    assert not (tmp_path / "s").exists()


@pytest.fixture
def given(tmp_path: Path) -> list[str | Path]:
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "a.mp4").write_text("no film")
    return ["build-dataset", "--store", tmp_path / "s", "--name", "n", "--clips", tmp_path / "clips"]


def test_a_face_model_that_is_none_is_named(
    command: Command, given: list[str | Path], tmp_path: Path
) -> None:
    np.savez(tmp_path / "other.npz", numbers=np.arange(3))
    (tmp_path / "text.npz").write_text("no arrays")
    for name in ("other.npz", "text.npz", "missing.npz"):
        ended = command(*given, "--face-model", tmp_path / name)
        assert (ended.status, ended.out) == (1, "")
        assert name in ended.err
        assert "build-face-model" in ended.err
        assert "Traceback" not in ended.err


def test_a_speech_model_without_weights_is_named(
    command: Command, given: list[str | Path], face_model_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "wav2vec2").mkdir()
    ended = command(*given, "--face-model", face_model_file, "--speech-model", tmp_path / "wav2vec2")
    assert (ended.status, ended.out) == (1, "")
    assert str(tmp_path / "wav2vec2") in ended.err
    assert "config.json" in ended.err


def test_a_build_that_publishes_nothing_ends_with_1_and_its_result(
    command: Command, given: list[str | Path], face_model_file: Path
) -> None:
    ended = command(*given, "--face-model", face_model_file)
    assert ended.status == 1
    told = json.loads(ended.out.splitlines()[-1])
    assert (told["published"], told["quarantined"]) == (0, {"not_media": 1})


@pytest.mark.parametrize("name", ["verify-dataset", "diff-datasets", "collect-garbage", "show-clip"])
def test_a_folder_that_is_no_store_is_named(name: str, command: Command, tmp_path: Path) -> None:
    more: list[str | Path] = [] if name == "collect-garbage" else ["--name", "n"]
    if name == "show-clip":
        more += ["--clip", "c", "--out", tmp_path / "out"]
    ended = command(name, "--store", tmp_path, *more)
    assert (ended.status, ended.out) == (1, "")
    assert f"{tmp_path} is not a store" in ended.err


def test_a_dataset_or_version_that_is_missing_is_named(command: Command, real_build: RealBuild) -> None:
    store = real_build.store.root
    for more in (["--name", "smal"], ["--name", "small", "--version", "7"]):
        ended = command("verify-dataset", "--store", store, *more)
        assert (ended.status, ended.out) == (1, "")
        assert more[-1] in ended.err
    ended = command("diff-datasets", "--store", store, "--name", "small")
    assert (ended.status, ended.out) == (1, "")
    assert "Traceback" not in ended.err


def test_findings_end_with_1(command: Command, own_store: Store, real_build: RealBuild) -> None:
    arguments = ("verify-dataset", "--store", own_store.root, "--name", "small", "--recompute", "0")
    assert command(*arguments).status == 0
    victim = own_store.blob_path(next(iter(real_build.rows["silent.mp4"].blobs.values())))
    victim.unlink()
    ended = command(*arguments)
    assert ended.status == 1
    assert victim.name in json.loads(ended.out)["verified"]["findings"][0]["detail"]


def test_a_rebuild_in_a_process_of_its_own_says_that_nothing_changed(
    real_build: RealBuild, run_command: RunCommand
) -> None:
    settings = real_build.settings
    ended = run_command(
        "build-dataset",
        *("--clips", settings.clips[0], "--studio", settings.studio[0]),
        *("--face-model", real_build.face_model, "--store", settings.store, "--name", "small"),
    )
    assert ended.returncode == 0, ended.stderr
    assert "nothing changed" in ended.stderr
    told = json.loads(ended.stdout.splitlines()[-1])
    assert (told["version"], told["changed"]) == (real_build.outcome.version, False)


def test_the_environment_changes_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (
        ("seed", "7"),
        ("SEED", "7"),
        ("profile", "paper"),
        ("stage", "motion"),
        ("run", "{}"),
    ):
        monkeypatch.setenv(name, value)
    settings = read_flags(TrainSettings, ["--store", "S", "--name", "n", "--out", "R", "--workers", "3"])
    assert settings == TrainSettings(store=Path("S"), name="n", out=Path("R"), workers=3)
    assert type(settings) is TrainSettings
