"""Settings of the speech features, apart from the networks so that reading them loads no torch."""

from __future__ import annotations

from pydantic import PositiveInt

from model.settings import Settings


class UntrainedSize(Settings):
    """Size of the random network that stands in where there are no weights; 12 x 768 is wav2vec2-base."""

    layers: PositiveInt = 2
    """Transformer layers."""
    width: PositiveInt = 64
    """Channels of a layer, a multiple of 64."""
    seed: int = 0
    """Of its weights."""

    @property
    def label(self) -> str:
        """How the manifest names it."""
        return f"untrained wav2vec2 (seed {self.seed}, {self.width} x {self.layers})"


class WindowSettings(Settings):
    """Long sound goes through the network in windows, so that memory does not grow with its length."""

    window_frames: PositiveInt = 300
    """Length of a window in 25 fps frames; sound up to this length is one window and exact."""
    context_frames: PositiveInt = 32
    """Frames at a window's inner ends that only serve as context and are taken from its neighbour: half
    the reach of the positional convolution (128 steps of 20 ms)."""
