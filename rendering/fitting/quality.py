"""Which frames of a clip were lost by the fit, and the longest run without lost frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rendering.arrays import Array
from rendering.fitting.settings import QualitySettings


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameFigures:
    """Figures that tell whether a frame was tracked; every array is (N,)."""

    landmark_error: NDArray[np.float32]
    """Root mean square distance of the used landmarks / mean image distance of the outer eye corners."""
    photometric_error: NDArray[np.float32]
    """Mean absolute grey difference on the visible skin, 0..1; 0 without the photometric stage."""
    expression_energy: NDArray[np.float32]
    """Mean squared expression coefficient: 1 is usual, far more is a face that the model cannot take on."""
    turn_deg: NDArray[np.float32]
    """Second difference of the rotation, degrees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The failed frames of a clip, and the part to keep."""

    failed: NDArray[np.bool_]
    """(N,), True = the frame is lost."""
    first_frame: int
    frames: int
    """Length of the longest run without a failed frame, which begins at first_frame; 0 = nothing to keep."""
    detail: str
    """Why frames failed, with values and limits; empty if no frame failed."""


def judge_frames(figures: FrameFigures, settings: QualitySettings) -> Verdict:
    """Find the failed frames, with hysteresis, and the longest run between them.

    A frame fails where a figure exceeds its limit; the failure lasts until every figure has stayed below
    its limit times `recovery` for `recovery_frames` frames. Limits on errors are the larger of a fixed one
    and a multiple of the clip's median.
    """
    worst = np.zeros(len(figures.landmark_error))
    reasons = []
    for name, values, limit in _limits(figures, settings):
        ratio = values / limit
        worst = np.maximum(worst, ratio)
        if (ratio > 1).any():
            frame = int(ratio.argmax())
            over = int((ratio > 1).sum())
            reasons.append(
                f"{name} {values[frame]:.3g} at frame {frame}, limit {limit:.3g}, "
                f"{over} of {len(values)} frames"
            )
    failed = _hysteresis(worst, settings)
    first, count = longest_run(~failed)
    return Verdict(failed=failed, first_frame=first, frames=count, detail="; ".join(reasons))


def _limits(figures: FrameFigures, settings: QualitySettings) -> list[tuple[str, Array, float]]:
    def limit(values: Array, least: float) -> float:
        return max(least, settings.most_over_median * float(np.median(values)))

    landmark, photometric = figures.landmark_error, figures.photometric_error
    return [
        # A clip that is bad throughout has a bad median, too: only a fixed ceiling refuses it.
        (
            "landmark error",
            landmark,
            min(limit(landmark, settings.landmark_error), settings.highest_landmark_error),
        ),
        ("photometric error", photometric, limit(photometric, settings.photometric_error)),
        ("expression energy", figures.expression_energy, settings.expression_energy),
        ("turn in degrees", figures.turn_deg, settings.turn_deg),
    ]


def _hysteresis(worst: Array, settings: QualitySettings) -> NDArray[np.bool_]:
    failed = np.zeros(len(worst), dtype=bool)
    # Frames below the lower limit since the last failure; a clip starts as tracked.
    calm = settings.recovery_frames
    for frame, ratio in enumerate(worst):
        calm = 0 if ratio > 1 else calm + (1 if ratio < settings.recovery else 0)
        failed[frame] = calm < settings.recovery_frames
    return failed


def longest_run(good: NDArray[np.bool_]) -> tuple[int, int]:
    """First frame and length of the longest run of True; the earliest among equals."""
    # A run starts where the padded sequence rises and ends where it falls.
    edges = np.flatnonzero(np.diff(np.concatenate([[0], good.astype(np.int8), [0]])))
    if len(edges) == 0:
        return 0, 0
    starts, ends = edges[::2], edges[1::2]
    longest = int(np.argmax(ends - starts))
    return int(starts[longest]), int(ends[longest] - starts[longest])
