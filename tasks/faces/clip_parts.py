"""Find the part of a clip that can be published: cuts, faulty frames, and the longest part without either."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import NonNegativeInt, PositiveFloat

from model.settings import Settings
from rendering.arrays import Array
from tasks.reasons import Reason

_CELLS = 4
"""Cells per side of a frame signature."""
_SAMPLES = 64
"""Pixels per side that a frame signature samples."""


class CutSettings(Settings):
    """Thresholds that tell when two neighbouring frames belong to different shots.

    A cut changes the picture (a distance of histograms) or the face (a movement of its landmarks)
    strongly, or both a little. docs/stages.md has the measurements.
    """

    strong_change: PositiveFloat = 0.08
    """Histogram distance (0..1) above which two frames are divided by a cut, whatever the face does."""
    weak_change: PositiveFloat = 0.05
    """Histogram distance (0..1) above which there is a cut if the face also moves by more than weak_jump."""
    strong_jump: PositiveFloat = 0.5
    """Movement of the landmarks from one frame to the next, in face heights, above which there is a cut,
    whatever the picture does."""
    weak_jump: PositiveFloat = 0.15
    """Movement of the landmarks, in face heights, above which there is a cut if the picture also changes by
    more than weak_change."""
    contrast: PositiveFloat = 3.0
    """A change counts only if it exceeds this multiple of the median change in the frames around it, since
    fast pans and flicker change every frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipPart:
    """Consecutive frames [first, first + frames) of a clip."""

    first: int
    frames: int
    """Number of frames."""
    reason: Reason | None
    """What ends the part, on the side where more frames are left out; None = the part is the whole clip."""


class _FrameRun(NamedTuple):
    """Consecutive frames [first, end)."""

    first: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.first


def frame_signature(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Grey values of 4 x 4 cells as sorted samples: (H, W, 3) uint8 -> (16, 256), 0..1.

    The mean absolute difference of two sorted samples is the earth mover's distance of their histograms. It
    needs no choice of bins, and a slow change of brightness moves it little.
    """
    rows = np.arange(_SAMPLES) * frame.shape[0] // _SAMPLES
    columns = np.arange(_SAMPLES) * frame.shape[1] // _SAMPLES
    grey = frame[np.ix_(rows, columns)].astype(np.float32).mean(axis=2) / 255
    side = _SAMPLES // _CELLS
    cells = grey.reshape(_CELLS, side, _CELLS, side).swapaxes(1, 2).reshape(_CELLS**2, side**2)
    # sorted values are the inverse of the cumulative histogram
    return np.sort(cells, axis=1)


def signature_distance(before: NDArray[np.float32], after: NDArray[np.float32]) -> float:
    """Earth mover's distance between two frame signatures, mean over the cells, 0..1."""
    return float(np.abs(after - before).mean())


def landmark_jumps(landmarks: NDArray[np.float32]) -> NDArray[np.float64]:
    """Movement since the previous frame: (N, L, 3) px -> (N,) face heights; 0 if a frame has no face."""
    points = landmarks[:, :, :2].astype(np.float64)
    heights = np.ptp(points[:, :, 1], axis=1)
    moved = np.sqrt(np.square(np.diff(points, axis=0)).sum(axis=2).mean(axis=1))
    # relative to the smaller face, so that a cut to a close-up counts in full
    smaller = np.minimum(heights[1:], heights[:-1])
    return np.concatenate([[0.0], np.nan_to_num(moved / smaller)])


def shot_starts(changes: Array, jumps: Array, settings: CutSettings) -> NDArray[np.bool_]:
    """(N,), True where a frame begins a new shot.

    Args:
        changes: (N,), histogram distance to the previous frame, 0..1.
        jumps: (N,), movement of the landmarks since the previous frame, face heights.
        settings: the thresholds.
    """
    by_picture = _stands_out(changes, settings.contrast)
    by_face = _stands_out(jumps, settings.contrast)
    both = (changes > settings.weak_change) & (jumps > settings.weak_jump)
    # each must stand out from its surroundings, else a pan or a flickering lamp is a series of cuts
    starts = (by_picture & (changes > settings.strong_change)) | (by_face & (jumps > settings.strong_jump))
    starts |= both & by_picture & by_face
    starts[:1] = False
    return starts


def _stands_out(series: Array, contrast: float, reach: int = 3) -> NDArray[np.bool_]:
    """(N,), True for values above `contrast` times the median of their 2 x `reach` neighbours."""
    # neighbours without the value itself, so that a single jump stands out from quiet frames around it
    padded = np.pad(series.astype(np.float64), reach, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
    neighbours = np.delete(windows, reach, axis=1)
    return np.asarray(series > contrast * np.median(neighbours, axis=1))


def short_gaps(missing: NDArray[np.bool_], starts: NDArray[np.bool_], longest: int) -> NDArray[np.bool_]:
    """(N,), True in runs of at most `longest` missing frames inside one shot, with good frames on both sides.

    Args:
        missing: (N,), True where a frame has no face.
        starts: (N,), True where a frame begins a new shot.
        longest: frames of the longest gap.
    """
    short = np.zeros_like(missing)
    for run in _runs(missing):
        # the frame after the gap counts too: if it begins a new shot, the gap lies on a cut
        in_one_shot = not starts[run.first : run.end + 1].any()
        enclosed = run.first > 0 and run.end < len(missing)
        short[run.first : run.end] = enclosed and in_one_shot and run.length <= longest
    return short


def longest_part(faults: Sequence[Reason | None], starts: NDArray[np.bool_]) -> ClipPart:
    """The longest run of frames without a fault inside one shot; of equally long ones the earliest.

    Args:
        faults: what is wrong with each frame; None = nothing.
        starts: (N,), True where a frame begins a new shot.
    """
    good = np.array([fault is None for fault in faults], dtype=bool)
    best = _FrameRun(0, 0)
    for run in _runs(good):
        cuts = run.first + 1 + np.flatnonzero(starts[run.first + 1 : run.end])
        for low, high in pairwise([run.first, *cuts, run.end]):
            if high - low > best.length:
                best = _FrameRun(int(low), int(high))
    return ClipPart(first=best.first, frames=best.length, reason=_boundary(best, faults))


def _boundary(part: _FrameRun, faults: Sequence[Reason | None]) -> Reason | None:
    if part == (0, len(faults)):
        return None
    left_out_after = len(faults) - part.end
    neighbour = part.end if left_out_after >= part.first else part.first - 1
    return faults[neighbour] or Reason.SCENE_CUT


def rejection(
    faults: Sequence[Reason | None], starts: NDArray[np.bool_], part: ClipPart, shortest: NonNegativeInt
) -> tuple[Reason, str]:
    """(reason, detail) of a clip without a part of `shortest` frames: the most frequent fault, else cuts."""
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


def _runs(flags: NDArray[np.bool_]) -> list[_FrameRun]:
    """Every run of True."""
    # with a 0 on both sides, edges alternate between the first frame of a run and the frame after it
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return [_FrameRun(int(first), int(end)) for first, end in edges.reshape(-1, 2)]
