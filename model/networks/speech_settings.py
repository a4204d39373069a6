"""Settings of the speech features, in a module of their own so that reading them does not load torch."""

from __future__ import annotations

from pydantic import PositiveInt

from model.settings import Settings


class UntrainedSize(Settings):
    """Size of the random network that replaces missing weights; 12 x 768 is wav2vec2-base."""

    layers: PositiveInt = 2
    """Transformer layers."""
    width: PositiveInt = 64
    """Channels of a layer, a multiple of 64."""
    seed: int = 0
    """Seed of the random weights."""

    @property
    def label(self) -> str:
        """Name in the manifest."""
        return f"untrained wav2vec2 (seed {self.seed}, {self.width} x {self.layers})"


class WindowSettings(Settings):
    """Windows in which long sound passes through the network: memory does not grow with its length."""

    window_frames: PositiveInt = 300
    """Length of a window in 25 fps frames; sound up to this length is one window and exact."""
    context_frames: PositiveInt = 32
    """Frames at the inner ends of a window that serve as context only: half the reach of the positional
    convolution (128 steps of 20 ms)."""
