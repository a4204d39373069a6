from __future__ import annotations

import contextlib
import io
import sys
from threading import Thread

import pytest

from tasks.progress import StageProgress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_without_a_terminal_each_stage_is_one_line_told_when_it_is_done() -> None:
    stream = io.StringIO()
    with StageProgress(stream) as progress:
        progress.begin("probe", clips=3)
        progress.advance("probe")
        progress.advance("probe", rejected=1)
        assert stream.getvalue() == ""
        progress.advance("probe")
        assert stream.getvalue() == "probe: 3 of 3 clips, 1 rejected\n"
        progress.begin("fit", clips=2)
        progress.advance("fit", frames=150)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("fit: 1 of 2 clips, 150 frames, ")
    assert lines[1].endswith(" frames/s")


def test_a_failed_build_still_says_how_far_it_came() -> None:
    stream = io.StringIO()
    with contextlib.suppress(OSError), StageProgress(stream) as progress:
        progress.begin("undistort", clips=0)
        progress.begin("fit", clips=5)
        progress.advance("fit", clips=2)
        raise OSError("disk full")
    assert stream.getvalue() == "fit: 2 of 5 clips\n"


def test_in_a_terminal_each_stage_has_a_bar_and_standard_output_stays_the_callers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    stream = Terminal()
    with StageProgress(stream) as progress:
        progress.begin("landmarks", clips=1)
        progress.begin("landmarks", clips=1)
        progress.advance("landmarks", clips=2, frames=300, rejected=1)
        sys.stdout.write("result")
    shown = stream.getvalue()
    assert "landmarks" in shown
    assert "2/2" in shown
    assert "1 rejected" in shown
    assert "clips" not in shown
    assert capsys.readouterr() == ("result", "")


def test_counts_from_many_threads_add_up() -> None:
    stream = io.StringIO()
    with StageProgress(stream) as progress:
        progress.begin("crop", clips=4000)
        threads = [Thread(target=lambda: [progress.advance("crop") for _ in range(500)]) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert stream.getvalue() == "crop: 4,000 of 4,000 clips\n"


def test_a_rate_leaves_out_the_time_before_the_stage_came_up(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 0.0
    monkeypatch.setattr("tasks.progress.time.monotonic", lambda: now_s)
    stream = io.StringIO()
    with StageProgress(stream) as progress:
        progress.begin("crop", clips=1)
        progress.begin("fit", clips=1)
        now_s = 10.0
        progress.advance("crop", frames=100)
        now_s = 14.0
        progress.advance("fit", frames=100)
    assert stream.getvalue().splitlines() == [
        "crop: 1 of 1 clips, 100 frames, 10.0 frames/s",
        "fit: 1 of 1 clips, 100 frames, 25.0 frames/s",
    ]


def test_a_stage_that_never_began_is_a_programming_error() -> None:
    with StageProgress(io.StringIO()) as progress, pytest.raises(KeyError):
        progress.advance("fit")
