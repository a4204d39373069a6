"""A published clip's sound as the video pipeline takes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tasks.media.video_files import SAMPLES_PER_FRAME, read_audio

FULL_SCALE = 32768
"""Of 16 bit samples."""


def clip_speech(path: Path, *, frames: int) -> Tensor:
    """Of the first frames, (640 frames,) in [-1, 1], 16 kHz."""
    samples = read_audio(path, count=frames * SAMPLES_PER_FRAME)
    return torch.from_numpy(samples.astype(np.float32) / FULL_SCALE)
