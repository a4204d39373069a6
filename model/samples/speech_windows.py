"""Speech around a frame: windows of k frames that clamp at a clip's ends."""

from __future__ import annotations

import torch
from torch import Tensor


def speech_windows(features: Tensor, *, first: int, count: int, window: int) -> Tensor:
    """Windows centred on frames first .. first + count.

    At the clip's ends the first and the last frame are repeated: silence would be a sound of its own.

    Args:
        features: of the whole clip, (N, layers, D).
        first: frame of the first window.
        count: windows.
        window: frames of a window, odd.

    Returns:
        (count, window, layers, D).

    Raises:
        ValueError: the window is even, or the frames are not in the clip.
    """
    if window % 2 == 0:
        raise ValueError(f"speech window of {window} frames has no middle; take an odd number")
    if not 0 <= first <= first + count <= len(features):
        raise ValueError(f"frames {first} .. {first + count} of a clip of {len(features)}")
    middles = torch.arange(first, first + count)[:, None]
    frames = middles + torch.arange(window) - window // 2
    return features[frames.clamp(0, len(features) - 1)]
