"""Speech of any length, heard frame after frame: what has been heard is forgotten."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.samples.training_set import speech_windows


class SpeechStream:
    """Windows of a clip's features in order, from features that come in parts."""

    def __init__(self, parts: Iterable[NDArray[np.float16]], *, frames: int, window: int) -> None:
        """Set up.

        Args:
            parts: features (n, layers, D) of the clip, in order, as speech_parts makes them.
            frames: of the whole clip.
            window: frames of a window, odd.
        """
        self._parts, self._frames, self._window = iter(parts), frames, window
        self._held: Tensor | None = None
        self._held_first = self._done = 0

    def take(self, count: int) -> Tensor:
        """The windows of the next `count` frames, (count, window, layers, D) float32."""
        reach = self._window // 2
        first, end = max(self._done - reach, 0), min(self._done + count + reach, self._frames)
        held = self._heard_until(end)[first - self._held_first :]
        self._held, self._held_first = held, first
        windows = speech_windows(
            held[: end - first], first=self._done - first, count=count, window=self._window
        )
        self._done += count
        return windows

    def _heard_until(self, end: int) -> Tensor:
        held = [] if self._held is None else [self._held]
        heard = self._held_first + sum(map(len, held))
        while heard < end:
            held.append(torch.from_numpy(next(self._parts)).float())
            heard += len(held[-1])
        return torch.cat(held)
