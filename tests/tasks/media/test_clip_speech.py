"""A clip's sound for the video pipeline: of the frames that are asked for, full scale is 1."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from tasks.media.clip_speech import clip_speech
from tasks.media.video_files import write_audio


def test_sixteen_bit_samples_of_the_first_frames_are_floats(tmp_path: Path) -> None:
    samples = np.arange(-32768, -32768 + 3 * 640).astype(np.int16)
    write_audio(tmp_path / "a.wav", samples)
    speech = clip_speech(tmp_path / "a.wav", frames=2)
    assert speech.dtype == torch.float32
    assert torch.equal(speech, torch.from_numpy(samples[: 2 * 640] / np.float32(32768)))
    assert speech[0] == -1
