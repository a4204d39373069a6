"""What a board shows of a training that was interrupted."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tasks.progress import StageProgress
from tasks.training.callback import ProgressCallback

LOSSES = {"loss/total": 1.0, "loss/rgb": 1.0, "loss/depth": 1.0}


def show(logs: Path, steps: Iterable[int], said: list[str]) -> None:
    with (
        StageProgress(log=said.append) as progress,
        ProgressCallback(
            "joint",
            logs=logs,
            steps=10,
            progress=progress,
            validate=lambda networks: {"made": torch.ones(3, 4, 4)},
        ) as callback,
    ):
        for step in steps:
            callback.on_step(step, LOSSES)
            if step % 4 == 0:
                callback.on_validation(step, {})


def test_a_resumed_run_shows_each_step_once(tmp_path: Path) -> None:
    """The first run was killed after step 8, its last checkpoint was of step 5."""
    show(tmp_path, range(1, 9), [])
    show(tmp_path, range(6, 11), [])
    board = EventAccumulator(str(tmp_path))
    board.Reload()
    assert [event.step for event in board.Scalars("loss/total")] == list(range(1, 11))
    assert [event.step for event in board.Images("made")] == [4, 8]


def test_a_stage_is_told_in_about_ten_lines(tmp_path: Path) -> None:
    said: list[str] = []
    show(tmp_path, range(1, 11), said)
    told = [line for line in said if line.startswith("joint step")]
    assert len(told) == 10
    assert told[-1] == "joint step 10 of 10: loss total 1.0000, rgb 1.0000, depth 1.0000"


def test_a_process_that_shows_nothing_writes_nothing(tmp_path: Path) -> None:
    show(tmp_path / "logs", [], [])
    assert not (tmp_path / "logs").exists()
