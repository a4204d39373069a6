"""What a training shows while it runs: a progress bar, TensorBoard, and about ten lines in the log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from diffusers import ModelMixin
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from model.training import accelerate_hooks
from tasks.progress import StageProgress

ValidationPictures = Callable[[Mapping[str, ModelMixin]], Mapping[str, Tensor]]
"""Networks -> pictures by name, (3, H, W) in [0, 1]."""

REPORTED = ("loss/total", "loss/rgb", "loss/depth")
LINES = 10
"""Log lines with losses over a whole stage."""


class ProgressCallback:
    """A model.training.trainer.TrainerCallback; use it as a context manager."""

    def __init__(
        self,
        stage: str,
        *,
        logs: Path,
        steps: int,
        progress: StageProgress,
        validate: ValidationPictures | None,
    ) -> None:
        """Begin a progress bar; files are written only once there is something to show.

        Args:
            stage: name of the stage.
            logs: folder for TensorBoard's files.
            steps: steps of the whole stage.
            progress: progress bars and log.
            validate: makes the validation pictures; None = there are none.
        """
        self._stage, self._steps, self._progress, self._validate = stage, steps, progress, validate
        self._done = self._reported = 0
        self._logs = logs
        self._board: SummaryWriter | None = None
        progress.begin(stage, clips=steps, unit="steps")
        accelerate_hooks.hide_information()

    def _board_from(self, step: int) -> SummaryWriter:
        """The board, opened at the first thing to show: of several processes only the main one opens it.

        A resumed run repeats the steps after its checkpoint; `purge_step` drops what they showed before.
        """
        if self._board is None:
            self._board = SummaryWriter(str(self._logs), purge_step=step)
        return self._board

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._board is not None:
            self._board.close()

    def on_step(self, step: int, losses: Mapping[str, float]) -> None:
        """Show the mean losses since the last call."""
        for name, value in losses.items():
            self._board_from(step).add_scalar(name, value, step)
        if step * LINES // self._steps > self._reported:
            self._reported = step * LINES // self._steps
            values = ", ".join(f"{name.removeprefix('loss/')} {losses[name]:.4f}" for name in REPORTED)
            self._progress.say(f"{self._stage} step {step:,} of {self._steps:,}: loss {values}")
        self._progress.advance(self._stage, clips=step - self._done)
        self._done = step

    def on_validation(self, step: int, networks: Mapping[str, ModelMixin]) -> None:
        """Show the validation pictures."""
        if self._validate is not None:
            for name, picture in self._validate(networks).items():
                self._board_from(step).add_image(name, picture, step)
