"""Speech features: all hidden layers of wav2vec2 at the frames of a 25 fps clip (paper 4.2, 7.1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import Wav2Vec2Config, Wav2Vec2Model

from model.networks.speech_settings import UntrainedSize, WindowSettings

SAMPLES_PER_FRAME = 640
"""16 kHz / 25 fps."""
HEAD_WIDTH = 64


def untrained_network(size: UntrainedSize) -> Wav2Vec2Model:
    """Make a wav2vec2 of the usual architecture with random weights, the same on every call."""
    config = Wav2Vec2Config(
        hidden_size=size.width,
        num_hidden_layers=size.layers,
        num_attention_heads=max(size.width // HEAD_WIDTH, 1),
        intermediate_size=4 * size.width,
        conv_dim=[min(512, size.width)] * 7,
        num_conv_pos_embedding_groups=min(16, size.width),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(size.seed)
        network = Wav2Vec2Model(config)
    return cast(Wav2Vec2Model, network.eval())


@dataclass(frozen=True, slots=True)
class Loudness:
    """Scaling of a clip's 16 bit samples to zero mean and unit variance, as wav2vec2 was trained."""

    mean: np.float64
    scale: np.float64

    @classmethod
    def of(cls, samples: NDArray[np.int16]) -> Loudness:
        """Measure the whole clip, (S,)."""
        # 1e-7 as in the feature extractor of wav2vec2, for samples in -1..1
        variance = samples.var(dtype=np.float64) + 1e-7 * 32768**2
        return cls(samples.mean(dtype=np.float64), 1 / np.sqrt(variance))

    def normalized(self, samples: NDArray[np.int16]) -> NDArray[np.float32]:
        """Normalise any part of the clip."""
        return np.asarray((samples - self.mean) * self.scale, np.float32)


def speech_features(
    network: Wav2Vec2Model, samples: NDArray[np.int16], *, windows: WindowSettings
) -> NDArray[np.float16]:
    """All transformer layers at each frame of a clip: 16 kHz samples (640 N,) -> (N, layers, width).

    The features of a frame are those at the middle of its own 640 samples, linearly interpolated between the
    network's 50 Hz steps.

    Raises:
        ValueError: not a whole number of frames, or none.
    """
    shape = whole_frames(samples), network.config.num_hidden_layers, network.config.hidden_size
    features = np.empty(shape, np.float16)
    done = 0
    for part in speech_parts(network, samples, windows=windows):
        features[done : done + len(part)] = part
        done += len(part)
    return features


def speech_parts(
    network: Wav2Vec2Model, samples: NDArray[np.int16], *, windows: WindowSettings
) -> Iterator[NDArray[np.float16]]:
    """Speech features window by window, in order, each (n, layers, width)."""
    loudness = Loudness.of(samples)
    for first, end, keep_first, keep_end in spans(whole_frames(samples), windows):
        sound = samples[first * SAMPLES_PER_FRAME : end * SAMPLES_PER_FRAME]
        heard = torch.from_numpy(loudness.normalized(sound))
        at_frames = _layers_at_frames(network, heard[None], end - first)
        yield at_frames[keep_first - first : keep_end - first].half().numpy()


def whole_frames(samples: NDArray[np.int16]) -> int:
    """Number of frames of 640 samples.

    Raises:
        ValueError: not a whole number of frames, or none.
    """
    frames, rest = divmod(len(samples), SAMPLES_PER_FRAME)
    if rest or not frames:
        raise ValueError(
            f"{len(samples)} samples, need a positive multiple of {SAMPLES_PER_FRAME}; resample anew"
        )
    return frames


def spans(frames: int, windows: WindowSettings) -> Iterator[tuple[int, int, int, int]]:
    """Windows over a clip, and the frames that are kept of each: (first, end, keep first, keep end).

    There are as few windows as window_frames allows, equally long and no longer than needed; the last one
    ends with the clip. Kept frames lie at least context_frames from the inner ends of a window and cover
    the clip without overlap.
    """
    context, own = windows.context_frames, windows.window_frames - 2 * windows.context_frames
    if own <= 0:
        raise ValueError(
            f"window_frames is {windows.window_frames}, need more than 2 x context_frames = {2 * context}"
        )
    count = max(ceil((frames - 2 * context) / own), 1)
    length = ceil((frames + 2 * context * (count - 1)) / count)
    done = 0
    while done < frames:
        first = max(min(done - context, frames - length), 0)
        end = min(first + length, frames)
        keep_end = frames if end == frames else end - context
        yield first, end, done, keep_end
        done = keep_end


def _layers_at_frames(network: Wav2Vec2Model, sound: Tensor, frames: int) -> Tensor:
    """Run the network on normalised samples (1, 640 N) -> (N, layers, width)."""
    with torch.inference_mode():
        heard = network(sound.to(network.device, network.dtype), output_hidden_states=True)
    # hidden state 0 is the input of the first layer
    steps = torch.stack(heard.hidden_states[1:], dim=2)[0].float().cpu()
    place = step_positions(network.config, frames).clamp(0, len(steps) - 1)
    low = place.floor().long().clamp(max=max(len(steps) - 2, 0))
    high = (low + 1).clamp(max=len(steps) - 1)
    return torch.lerp(steps[low], steps[high], (place - low)[:, None, None].to(steps.dtype))


def step_positions(config: Wav2Vec2Config, frames: int) -> Tensor:
    """Position of the middle of each frame's sound between the network's steps, (N,) in steps.

    Step k covers samples k * stride .. k * stride + reach of the convolutions (320 and 400).
    """
    stride, reach = 1, 1
    for kernel, step in zip(config.conv_kernel, config.conv_stride, strict=True):
        reach += (kernel - 1) * stride
        stride *= step
    # frame t spans samples 640 t .. 640 (t + 1)
    middles = (torch.arange(frames, dtype=torch.float64) + 0.5) * SAMPLES_PER_FRAME
    return (middles - reach / 2) / stride
