"""Progress in the terminal: bars on standard error, so that standard output holds only the result."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn


@dataclass(slots=True, kw_only=True)
class _StageBar:
    """Counts of a stage so far."""

    name: str
    bar: TaskID
    unit: str
    started_s: float
    """Time of the monotonic clock when the first clips of the stage started, seconds."""
    clips: int = 0
    done: int = 0
    frames: int = 0
    rejected: int = 0
    told: bool = False

    def rate(self, now_s: float) -> str:
        """Format the frames a second since the stage began; empty before the first frame."""
        return f"{self.frames / max(now_s - self.started_s, 1e-3):,.1f} frames/s" if self.frames else ""

    def line(self, now_s: float) -> str:
        """Describe the stage in one line."""
        figures = [
            f"{self.done:,} of {self.clips:,} {self.unit}",
            f"{self.frames:,} frames" if self.frames else "",
            self.rate(now_s),
            f"{self.rejected:,} rejected" if self.rejected else "",
        ]
        return f"{self.name}: {', '.join(figure for figure in figures if figure)}"


class StageProgress:
    """A bar for each stage if standard error is a terminal, else a line for each finished stage.

    With a `log` the lines are written there.

    Methods may be called from several threads.

        with StageProgress() as progress:
            progress.begin("fit", clips=54)
            progress.advance("fit", frames=150)
    """

    def __init__(self, stream: TextIO | None = None, *, log: Callable[[str], None] | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._log = log
        self._bars = Progress(
            TextColumn("{task.description:<10}"),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:>18}"),
            TextColumn("{task.fields[rejected]}", style="red"),
            console=Console(file=self._stream),
            redirect_stdout=False,
            disable=log is not None or not self._stream.isatty(),
        )
        self._stages: dict[str, _StageBar] = {}
        self._lock = threading.Lock()
        self._latest_s = time.monotonic()

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()
        for stage in self._stages.values():
            if stage.clips:
                self._tell(stage)

    def begin(self, stage: str, *, clips: int, unit: str = "clips") -> None:
        """Start a stage with a number of clips or steps; a second call adds more of them."""
        with self._lock:
            if stage not in self._stages:
                bar = self._bars.add_task(stage, total=0, rate="", rejected="")
                self._stages[stage] = _StageBar(name=stage, bar=bar, unit=unit, started_s=self._latest_s)
            counts = self._stages[stage]
            counts.clips += clips
            self._bars.update(counts.bar, total=counts.clips)

    def advance(self, stage: str, *, clips: int = 1, frames: int = 0, rejected: int = 0) -> None:
        """Count more clips of a started stage as done; `rejected` of them were rejected."""
        with self._lock:
            counts = self._stages[stage]
            if counts.done == 0:
                # Stages are announced together and run one after the other: this one's first clips
                # came up when the last ones before them were done.
                counts.started_s = self._latest_s
            self._latest_s = time.monotonic()
            counts.done += clips
            counts.frames += frames
            counts.rejected += rejected
            self._bars.update(
                counts.bar,
                completed=counts.done,
                rate=counts.rate(self._latest_s),
                rejected=f"{counts.rejected:,} rejected" if counts.rejected else "",
            )
            if counts.done >= counts.clips:
                self._tell(counts)

    def say(self, text: str) -> None:
        """Print a line."""
        if self._log is not None:
            self._log(text)
        else:
            self._bars.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _tell(self, stage: _StageBar) -> None:
        """Print the line of the stage once, if there is no terminal."""
        if self._bars.disable and not stage.told:
            stage.told = True
            self.say(stage.line(time.monotonic()))
