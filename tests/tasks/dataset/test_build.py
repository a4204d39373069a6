"""Builds of simulated stages: interrupted, side by side, unchanged, changed and with bad jobs."""

from __future__ import annotations

import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from flows.build_dataset import BuiltDataset, build_dataset
from flows.diff_datasets import DiffDatasetsSettings, diff_datasets
from tasks.chain import Node
from tasks.engine import run_stage
from tasks.engine.run_stage import RunSettings
from tasks.engine.worker_pool import Answer, Worker
from tasks.store.actions import Action
from tasks.store.blobs import Store
from tasks.store.diff import VersionDiff
from tasks.store.durable import StoreError
from tasks.store.garbage import collect
from tasks.store.verify import verify_version
from tasks.store.versions import read_rows
from tests.engine_stages.repeat import RepeatSettings
from tests.simulated_build import (
    CLIPS,
    ChildBuild,
    simulated_settings,
    simulated_stages,
    write_clips,
)

STEPS = 2 * len(CLIPS)


def build(clips: Path, store: Path, **changes: object) -> BuiltDataset:
    with simulated_stages():
        return build_dataset.fn(simulated_settings(clips, store, **changes))


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clips(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="module")
def undisturbed(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> BuiltDataset:
    return build(clips, tmp_path_factory.mktemp("undisturbed") / "store")


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Stage -> clips it ran for and ended with a verdict that is kept."""
    counted: Counter[str] = Counter()
    record = run_stage.record_action

    def recording(store: Store, action: Action) -> str:
        counted[action.stage] += 1
        return record(store, action)

    monkeypatch.setattr(run_stage, "record_action", recording)
    return counted


def assert_sound(store: Path) -> None:
    """Nothing is damaged, half written or left over."""
    assert verify_version(Store(store), "words").findings == ()
    assert list((store / "tmp").iterdir()) == []
    collected = collect(Store(store))
    assert (collected.blobs, collected.actions, collected.folders) == (0, 0, 0)


@pytest.mark.parametrize("step", range(0, STEPS, 3))
def test_a_killed_build_continues_where_it_was(
    step: int, clips: Path, undisturbed: BuiltDataset, tmp_path: Path
) -> None:
    settings = simulated_settings(clips, tmp_path / "store")
    killed = ChildBuild(settings, tmp_path / "killed", killed_before=step)
    assert killed.end() == -signal.SIGKILL
    finished = {path.stem for path in (settings.store / "actions").iterdir()}
    again = ChildBuild(settings, tmp_path / "again")
    assert again.outcome()["version"] == undisturbed.version
    assert not set(again.recorded) & finished, "a finished step was done again"
    assert len(again.recorded) + len(finished) == STEPS
    assert_sound(settings.store)


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_worker_outlives_its_build(
    sent: signal.Signals, undisturbed: BuiltDataset, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    clips = write_clips(tmp_path / "clips", CLIPS | {"clip_3": f"wait {gate}"})
    settings = simulated_settings(clips, tmp_path / "store")
    stopped = ChildBuild(settings, tmp_path / "stopped")
    with gate.open() as held_by_worker:
        assert int(held_by_worker.readline()) > 0
        stopped.signal(sent)
        assert held_by_worker.read() == ""  # it ended: nobody holds the other end any more
    assert stopped.end() != 0
    gate.unlink()
    write_clips(clips)
    assert ChildBuild(settings, tmp_path / "again").outcome()["version"] == undisturbed.version
    assert_sound(settings.store)


def test_two_builds_at_once_end_well(clips: Path, undisturbed: BuiltDataset, tmp_path: Path) -> None:
    settings = simulated_settings(clips, tmp_path / "store")
    both = [ChildBuild(settings, tmp_path / name) for name in ("one", "other")]
    assert {told.outcome()["version"] for told in both} == {undisturbed.version}
    assert {told.outcome()["number"] for told in both} == {1}
    assert_sound(settings.store)


def test_nothing_changed_is_said_and_nothing_is_started(
    clips: Path,
    undisturbed: BuiltDataset,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("tasks.engine.worker_pool.Worker.run", never)
    monkeypatch.setattr("tasks.engine.schedule.Schedule.submit", never)
    again = build(clips, undisturbed.store)
    assert (again.changed, again.version, again.number) == (False, undisturbed.version, 1)
    assert "nothing changed" in capsys.readouterr().err


def test_how_many_workers_and_shards_change_nothing(
    clips: Path, undisturbed: BuiltDataset, tmp_path: Path
) -> None:
    alone = build(clips, tmp_path / "store", workers=1, shard_clips=1)
    assert alone.version == undisturbed.version


def test_a_changed_setting_recomputes_what_depends_on_it_and_diff_names_it(
    clips: Path, tmp_path: Path, ran: Counter[str]
) -> None:
    store = tmp_path / "store"
    build(clips, store)
    ran.clear()
    with simulated_stages(repeat=RepeatSettings(times=3)):
        changed = build_dataset.fn(simulated_settings(clips, store))
    assert (changed.changed, changed.number) == (True, 2)
    assert ran == {"repeat": len(CLIPS)}
    diff = difference(store)
    assert {cause.name for clip in diff.changed for cause in clip.causes} == {"times"}
    assert {(cause.kind, cause.old, cause.new) for clip in diff.changed for cause in clip.causes} == {
        ("setting", 2, 3)
    }
    assert len(diff.changed) == len(CLIPS)
    ran.clear()
    back = build(clips, store)
    assert (back.changed, back.number) == (True, 3)
    assert ran == {}, "the ledger holds all of it"


def test_a_changed_file_changes_one_row_and_diff_names_it(tmp_path: Path, ran: Counter[str]) -> None:
    clips, store = write_clips(tmp_path / "clips"), tmp_path / "store"
    build(clips, store)
    ran.clear()
    write_clips(clips, {"clip_2": "other"})
    build(clips, store)
    assert ran == {"spell": 1, "repeat": 1}
    diff = difference(store)
    assert [clip.source_name for clip in diff.changed] == ["clip_2"]
    assert [(cause.kind, cause.name) for cause in diff.changed[0].causes] == [("input", "source")]
    assert (diff.added, diff.removed) == ((), ())


def test_added_and_removed_files_are_added_and_removed_rows(tmp_path: Path, ran: Counter[str]) -> None:
    clips, store = write_clips(tmp_path / "clips"), tmp_path / "store"
    build(clips, store)
    ran.clear()
    (clips / "clip_0").rename(clips / "clip_00")
    renamed = build(clips, store)
    assert ran == {}, "the same content under another name is known"
    diff = difference(store)
    assert (len(diff.added), len(diff.removed), len(diff.changed)) == (1, 1, 0)
    assert renamed.published == len(CLIPS)


def test_a_job_that_crashes_hangs_or_grows_costs_one_row(undisturbed: BuiltDataset, tmp_path: Path) -> None:
    bad = {"a": "die", "b": "hang", "c": "grow", "d": "reject"}
    clips = write_clips(tmp_path / "clips", CLIPS | bad)
    limits = RunSettings(job_timeout_s=3, job_memory_gb=2)
    outcome = build(clips, tmp_path / "store", run=limits)
    assert outcome.quarantined == {"crashed": 2, "no_face": 1, "timeout": 1}
    assert outcome.exit_code == 1
    rows = {row.source_name: row for row in read_rows(Store(outcome.store), "words", number=1)}
    alone = {row.source_name: row for row in read_rows(Store(undisturbed.store), "words", number=1)}
    assert {name: rows[name] for name in CLIPS} == alone
    told = [str(rows[name].detail) for name in "abc"]
    for detail, said in zip(told, ("twice", "limit of 3 s", "MemoryError"), strict=True):
        assert said in detail


def test_what_may_be_the_machines_fault_is_tried_again_by_the_next_build(
    undisturbed: BuiltDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs: list[str] = []
    run = Worker.run

    def running(self: Worker, node: Node, job: Mapping[str, object]) -> Answer:
        jobs.append(node.name)
        return run(self, node, job)

    monkeypatch.setattr(Worker, "run", running)
    clips = write_clips(tmp_path / "clips", CLIPS | {"clip_1": "die"})
    settings = simulated_settings(clips, tmp_path / "store")
    with simulated_stages():
        assert build_dataset.fn(settings).quarantined == {"crashed": 1}
        jobs.clear()
        again = build_dataset.fn(settings)
    assert again.quarantined == {"crashed": 1}
    assert jobs == ["spell"], "only the crashed step runs again"
    assert (again.changed, again.number) == (False, 1)
    write_clips(clips)
    assert build(clips, settings.store).version == undisturbed.version


def test_no_sources_is_an_error_before_a_store_is_made(tmp_path: Path) -> None:
    settings = simulated_settings(tmp_path, tmp_path / "store").model_copy(update={"clips": ()})
    with pytest.raises(ValueError, match="give --clips"):
        build_dataset.fn(settings)
    assert not (tmp_path / "store").exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk with room for about eighty MB, of which the engine wants 64 free."""
    folder = tmp_path / "disk"
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", "size=80m", "none", str(folder)]
    if subprocess.run(["mount", *options], capture_output=True).returncode:
        pytest.skip("this user may not mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_blames_no_clip_and_the_build_goes_on_when_there_is_room(
    small_disk: Path, tmp_path: Path
) -> None:
    megabytes = 1 << 17  # lines of eight bytes
    orders = {f"clip_{number}": f"large {(12 + number) * megabytes}" for number in range(8)}
    clips, store = write_clips(tmp_path / "clips", orders), small_disk / "store"
    with pytest.raises((StoreError, OSError), match="free") as full:
        build(clips, store)
    assert str(store) in str(full.value)
    recorded = [path.read_text() for path in (store / "actions").iterdir()]
    assert not [text for text in recorded if '"crashed"' in text]
    subprocess.run(["mount", "-o", "remount,size=900m", str(small_disk)], check=True)
    outcome = build(clips, store)
    assert (outcome.published, outcome.quarantined) == (8, {})
    assert_sound(store)


def never(*_: object, **__: object) -> None:
    raise AssertionError("work was started although nothing changed")


def difference(store: Path) -> VersionDiff:
    return diff_datasets.fn(DiffDatasetsSettings(store=store, name="words")).diff
