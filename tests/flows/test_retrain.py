"""Retraining as a Prefect run: a folder a version, stages as task runs with readable names."""

from __future__ import annotations

from pathlib import Path

import pytest
from prefect import get_client
from prefect.testing.utilities import prefect_test_harness

from flows.retrain import RetrainSettings, retrain
from tasks.store.blobs import Store
from tasks.store.versions import read_version
from tests.small_training import NAME, toy_profile, write_profile

STAGES = ("train autoencoder", "train joint", "train inpaint", "train motion")


@pytest.fixture
def settings(toy_store: Store, tmp_path: Path) -> RetrainSettings:
    profile = write_profile(tmp_path, toy_profile(steps=1))
    return RetrainSettings(
        store=toy_store.root, name=NAME, profile=str(profile), out=tmp_path / "training", workers=1
    )


def test_a_server_sees_stages_and_evaluation_and_a_second_run_trains_nothing(
    settings: RetrainSettings, toy_store: Store
) -> None:
    with prefect_test_harness(server_startup_timeout=120):
        first = retrain(settings)
        with get_client(sync_client=True) as client:
            runs = client.read_task_runs()
            flow_runs = client.read_flow_runs()
        second = retrain(settings)
    names = [run.name for run in runs]
    assert set(STAGES) <= set(names)
    assert {"estimate depth", "score samples", "make a talking clip"} <= set(names)
    assert {f"retrain {NAME}", f"train all on {NAME}", f"evaluate-depth {NAME}"} <= {
        run.name for run in flow_runs
    }
    root = read_version(toy_store, NAME).root
    assert first.folder == settings.out / f"{root[:12]}-seed0"
    assert first.depth.report.is_file()
    assert first.trained.changed
    assert not second.trained.changed
    assert second.depth == first.depth
