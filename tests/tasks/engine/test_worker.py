"""One job in the worker: files and values, verdicts, faults of the program and faults of the disk."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tasks.engine.worker import run_job

BEHAVIOUR = "tests.engine_stages.behaviour"


@pytest.fixture
def job(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "scratch").mkdir()
    (tmp_path / "source").write_text("fine words")
    return {
        "stage": BEHAVIOUR,
        "blobs": {"source": str(tmp_path / "source")},
        "values": {"suffix": "!"},
        "settings": {},
        "scratch": str(tmp_path / "scratch"),
    }


def run(job: dict[str, Any], order: str) -> dict[str, Any]:
    Path(job["blobs"]["source"]).write_text(order)
    return run_job(job)


def test_a_job_gives_its_files_and_values(job: dict[str, Any]) -> None:
    answer = run_job(job)
    assert answer["values"] == {"words": 2}
    assert Path(answer["files"]["result"]).read_text() == "fine words!"


def test_a_verdict_is_a_reason_and_no_error(job: dict[str, Any]) -> None:
    assert run(job, "reject") == {"reason": "no_face", "detail": "no face in 100 frames"}


def test_a_full_disk_is_the_storages_fault(job: dict[str, Any]) -> None:
    answer = run(job, "full")
    assert "No space left" in answer["storage"]
    assert "error" not in answer


def test_an_exception_is_the_jobs_fault_and_keeps_its_trace(job: dict[str, Any]) -> None:
    answer = run(job, "")
    assert answer["error"].startswith("IndexError")
    assert "behaviour.py" in answer["trace"]


def test_settings_that_the_stage_does_not_know_are_an_error(job: dict[str, Any]) -> None:
    assert "extra" in run_job({**job, "settings": {"unknown": 1}})["error"].lower()


def test_jobs_are_answered_in_order_and_the_end_of_the_pipe_ends_it(
    job: dict[str, Any], tmp_path: Path
) -> None:
    worker = subprocess.Popen(
        [sys.executable, "-m", "tasks.engine.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert worker.stdin
    assert worker.stdout
    orders = ["one", "two words", "and three words"]
    for number, order in enumerate(orders):
        source = tmp_path / f"source_{number}"
        source.write_text(order)
        worker.stdin.write(json.dumps({**job, "blobs": {"source": str(source)}}) + "\n")
    worker.stdin.flush()
    answers = [json.loads(worker.stdout.readline()) for _ in orders]
    assert [answer["values"]["words"] for answer in answers] == [1, 2, 3]
    assert all(answer["cpu_s"] >= 0 for answer in answers)
    worker.stdin.close()
    assert worker.wait() != 0
    worker.stdout.close()
