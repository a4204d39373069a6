"""Which frames of a clip are one usable take: cuts, faults and the longest part without either."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from pydantic import NonNegativeInt, PositiveFloat

from model.settings import Settings
from rendering.camera import Array
from tasks.reasons import Reason

_CELLS = 4
_SAMPLES = 64


class CutSettings(Settings):
    """When two neighbouring frames belong to different shots.

    The picture's change is a distance of histograms, the face's change a movement of its landmarks; a
    cut changes one of them strongly or both a little. docs/stages.md has the measurements.
    """

    strong_change: PositiveFloat = 0.08
    """Histogram distance (0..1) that is a cut whatever the face does."""
    weak_change: PositiveFloat = 0.05
    """Histogram distance that is a cut together with weak_jump."""
    strong_jump: PositiveFloat = 0.5
    """Movement of the landmarks in one frame, in face heights, that is a cut whatever the picture does."""
    weak_jump: PositiveFloat = 0.15
    """Movement that is a cut together with weak_change."""
    contrast: PositiveFloat = 3.0
    """A change counts where it is this many times the median change of the frames around it: fast pans
    and flicker have high changes everywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipPart:
    """Consecutive frames [first, first + frames) of a clip."""

    first: int
    frames: int
    reason: Reason | None
    """What ends the part on the side where more frames were left out; None = the clip is whole."""


def frame_signature(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Grey histograms of 4 x 4 cells as sorted samples: (H, W, 3) -> (16, 256), 0..1.

    The mean absolute difference of sorted samples is the earth mover's distance of two histograms,
    which a slow change of brightness moves little, without any choice of bins.
    """
    rows = np.arange(_SAMPLES) * frame.shape[0] // _SAMPLES
    columns = np.arange(_SAMPLES) * frame.shape[1] // _SAMPLES
    grey = frame[np.ix_(rows, columns)].astype(np.float32).mean(axis=2) / 255
    side = _SAMPLES // _CELLS
    cells = grey.reshape(_CELLS, side, _CELLS, side).swapaxes(1, 2).reshape(_CELLS**2, side**2)
    return np.sort(cells, axis=1)


def signature_distance(before: NDArray[np.float32], after: NDArray[np.float32]) -> float:
    """Earth mover's distance of two frame signatures, mean over the cells, 0..1."""
    return float(np.abs(after - before).mean())


def landmark_jumps(landmarks: NDArray[np.float32]) -> NDArray[np.float64]:
    """Movement since the frame before, (N, L, 3) px -> (N,) face heights; 0 where either has no face."""
    points = landmarks[:, :, :2].astype(np.float64)
    heights = np.ptp(points[:, :, 1], axis=1)
    moved = np.sqrt(np.square(np.diff(points, axis=0)).sum(axis=2).mean(axis=1))
    smaller = np.minimum(heights[1:], heights[:-1])
    return np.concatenate([[0.0], np.nan_to_num(moved / smaller)])


def shot_starts(changes: Array, jumps: Array, settings: CutSettings) -> NDArray[np.bool_]:
    """True where a frame begins a new shot; changes and jumps (N,) since the frame before."""
    by_picture = _stands_out(changes, settings.contrast)
    by_face = _stands_out(jumps, settings.contrast)
    both = (changes > settings.weak_change) & (jumps > settings.weak_jump)
    starts = (by_picture & (changes > settings.strong_change)) | (by_face & (jumps > settings.strong_jump))
    starts |= both & by_picture & by_face
    starts[:1] = False
    return starts


def _stands_out(series: Array, contrast: float, reach: int = 3) -> NDArray[np.bool_]:
    """Values above contrast x the median of their neighbours (not counting themselves)."""
    padded = np.pad(series.astype(np.float64), reach, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
    neighbours = np.delete(windows, reach, axis=1)
    return np.asarray(series > contrast * np.median(neighbours, axis=1))


def short_gaps(missing: NDArray[np.bool_], starts: NDArray[np.bool_], longest: int) -> NDArray[np.bool_]:
    """Runs of at most `longest` missing frames inside one shot with a good frame on both sides."""
    short = np.zeros_like(missing)
    for first, end in _runs(missing):
        inside = first > 0 and end < len(missing) and not starts[first : end + 1].any()
        short[first:end] = inside and end - first <= longest
    return short


def longest_part(faults: Sequence[Reason | None], starts: NDArray[np.bool_]) -> ClipPart:
    """The longest run of frames without a fault inside one shot (the earliest of equals).

    Args:
        faults: what is wrong with each frame; None = nothing.
        starts: (N,), True where a frame begins a new shot.
    """
    good = np.array([fault is None for fault in faults], dtype=bool)
    best = (0, 0)
    for first, end in _runs(good):
        edges = [first, *(first + 1 + np.flatnonzero(starts[first + 1 : end])), end]
        for low, high in pairwise(edges):
            if high - low > best[1] - best[0]:
                best = (int(low), int(high))
    return ClipPart(first=best[0], frames=best[1] - best[0], reason=_boundary(best, faults))


def _boundary(part: tuple[int, int], faults: Sequence[Reason | None]) -> Reason | None:
    first, end = part
    if (first, end) == (0, len(faults)):
        return None
    neighbour = end if len(faults) - end >= first else first - 1
    return faults[neighbour] or Reason.SCENE_CUT


def rejection(
    faults: Sequence[Reason | None], starts: NDArray[np.bool_], part: ClipPart, shortest: NonNegativeInt
) -> tuple[Reason, str]:
    """Why no part of `shortest` frames exists: the commonest fault, else the cuts."""
    counts = Counter(fault for fault in faults if fault is not None)
    told = ", ".join(f"{reason} in {count}" for reason, count in sorted(counts.items()))
    cuts = int(starts.sum())
    detail = (
        f"longest usable part has {part.frames} of {len(faults)} frames, need {shortest}; "
        f"{cuts} cuts; faults: {told or 'none'}"
    )
    if counts[Reason.LOST_FACE] == len(faults):
        return Reason.NO_FACE, f"no face found in any of {len(faults)} frames"
    if counts and (not cuts or sum(counts.values()) > len(faults) // 2):
        return max(sorted(counts), key=lambda reason: counts[reason]), detail
    return (Reason.SCENE_CUT if cuts else Reason.TOO_SHORT), detail


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """[first, end) of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return [(int(first), int(end)) for first, end in edges.reshape(-1, 2)]
