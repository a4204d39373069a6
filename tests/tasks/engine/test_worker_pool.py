"""One bad job costs one job: crashes, hangs, leaks and full disks."""

from __future__ import annotations

import pytest

from tasks.engine.worker_pool import JobLimits, StorageError, Worker
from tasks.reasons import Reason
from tests.engine_stages.behaviour import NODE


@pytest.fixture(scope="module")
def worker():
    worker = Worker(JobLimits(wall_s=4.0, memory_bytes=2 << 30))
    yield worker
    worker.stop()


@pytest.fixture
def ask(worker, tmp_path):
    def ask(order):
        source = tmp_path / "source"
        source.write_text(order)
        scratch = tmp_path / "scratch"
        scratch.mkdir(exist_ok=True)
        job = {"blobs": {"source": str(source)}, "values": {}, "settings": {}, "scratch": str(scratch)}
        return worker.run(NODE, job)

    return ask


def test_files_and_values_come_back(ask):
    answer = ask("two words")
    assert answer.reason is None
    assert answer.files["result"].read_text() == "two words"
    assert answer.values == {"words": 2}
    assert 0 <= answer.cpu_s <= answer.wall_s + 1


def test_a_verdict_is_an_answer(ask):
    answer = ask("reject")
    assert (answer.reason, answer.detail) == (Reason.NO_FACE, "no face in 100 frames")


def test_what_native_code_prints_is_no_answer(ask):
    assert ask("chatter").values == {"words": 1}


def test_a_clip_that_kills_its_worker_twice_is_crashed_and_the_next_one_runs(ask):
    answer = ask("die")
    assert answer.reason is Reason.CRASHED
    assert "-11" in answer.detail
    assert ask("fine").reason is None


def test_a_killed_worker_is_not_the_clips_fault(ask):
    assert ask("die-once").reason is None


def test_a_hanging_clip_is_timeout_and_the_next_one_runs(ask):
    answer = ask("hang")
    assert answer.reason is Reason.TIMEOUT
    assert "4 s" in answer.detail
    assert ask("fine").reason is None


def test_memory_is_limited(ask):
    answer = ask("grow")
    assert answer.reason is Reason.CRASHED
    assert "MemoryError" in answer.detail


def test_a_full_disk_stops_the_build_and_blames_no_clip(ask):
    with pytest.raises(StorageError, match="free space"):
        ask("full")
