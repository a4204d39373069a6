"""What people see of a training: a bar in the terminal, TensorBoard, and a line now and then in a log."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from diffusers import ModelMixin
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from tasks.progress import StageProgress

Look = Callable[[Mapping[str, ModelMixin]], Mapping[str, Tensor]]
"""Networks -> pictures by name, (3, H, W) in [0, 1]."""

TOLD = ("loss/total", "loss/rgb", "loss/depth")
LINES = 10
"""Lines of losses over a whole stage."""


class TrainingWatch:
    """A model.training.trainer.TrainerCallback; use as a context manager."""

    def __init__(
        self, stage: str, *, logs: Path, steps: int, progress: StageProgress, look: Look | None
    ) -> None:
        """Set up.

        Args:
            stage: its name.
            logs: folder for TensorBoard's files.
            steps: of the whole stage.
            progress: bars.
            look: makes the validation pictures; None = there are none.
        """
        self._stage, self._steps, self._progress, self._look = stage, steps, progress, look
        self._done = self._told = 0
        self._logs = logs
        self._board: SummaryWriter | None = None
        progress.begin(stage, clips=steps, unit="steps")
        logging.getLogger("accelerate").setLevel(logging.WARNING)

    def _board_from(self, step: int) -> SummaryWriter:
        """Made where something is shown first: of several processes, in the first.

        A resumed run shows the steps after its checkpoint again, and the board forgets the first ones.
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
        """Losses since the last call."""
        for name, value in losses.items():
            self._board_from(step).add_scalar(name, value, step)
        if step * LINES // self._steps > self._told:
            self._told = step * LINES // self._steps
            told = ", ".join(f"{name.removeprefix('loss/')} {losses[name]:.4f}" for name in TOLD)
            self._progress.say(f"{self._stage} step {step:,} of {self._steps:,}: loss {told}")
        self._progress.advance(self._stage, clips=step - self._done)
        self._done = step

    def on_validation(self, step: int, networks: Mapping[str, ModelMixin]) -> None:
        """Pictures of the fixed samples."""
        if self._look is not None:
            for name, picture in self._look(networks).items():
                self._board_from(step).add_image(name, picture, step)
