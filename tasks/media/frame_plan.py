"""Plan which source frame is shown at each 25 fps frame, from the real presentation times."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

FRAME_RATE = 25

ROUNDING_S = Fraction(4, 1000)
"""Matroska and FLV round times to a millisecond; a last frame short by this much still counts whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FramePlan:
    """The plan, and how much it changes the timing of the source."""

    source_frames: tuple[int, ...]
    """Index of the decoded source frame for each time k/25 s; never decreasing."""
    duplicated: int
    """Frames that repeat the frame before them."""
    dropped: int
    """Source frames that are left out between the first and the last frame shown."""
    largest_shift_s: float
    """Largest distance between the time of a frame and the time of its source frame, seconds."""


def plan_frames(times_s: Sequence[Fraction], *, start_s: Fraction, end_s: Fraction) -> FramePlan:
    """Plan frame k as the source frame nearest to start_s + k/25; of two equally near ones, the earlier.

    Args:
        times_s: presentation times of the decoded frames, increasing, at least one.
        start_s: time of frame 0 on the same clock.
        end_s: end of the last source frame; only whole frames before it are planned.
    """
    # only whole frames: a last frame that ends early would have too few sound samples
    frames = max(0, math.floor((end_s - start_s + ROUNDING_S) * FRAME_RATE))
    chosen: list[int] = []
    largest = Fraction(0)
    for k in range(frames):
        time = start_s + Fraction(k, FRAME_RATE)
        # exact fractions: with floats, rounding would decide between two equally near frames
        nearest = bisect.bisect_left(times_s, time)
        if nearest == len(times_s) or (nearest and time - times_s[nearest - 1] <= times_s[nearest] - time):
            nearest -= 1
        chosen.append(nearest)
        largest = max(largest, abs(times_s[nearest] - time))
    different = len(set(chosen))
    spanned = chosen[-1] - chosen[0] + 1 if chosen else 0
    return FramePlan(
        source_frames=tuple(chosen),
        duplicated=len(chosen) - different,
        dropped=spanned - different,
        largest_shift_s=float(largest),
    )
