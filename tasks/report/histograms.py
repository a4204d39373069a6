"""Histograms of quality figures over the published clips: bins and counts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.samples.manifest import ManifestRow

Intervals = Sequence[tuple[float, float]]
BINS = {"values": 14, "intervals": 28}
"""Most bins of a histogram; the bin width is 1, 2, 2.5 or 5 times a power of ten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A series of a histogram, drawn in one colour."""

    label: str
    values: tuple[tuple[float, float], ...]
    """Interval that each clip covers; (x, x) if a clip has a single value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Counts of clips over one quality figure."""

    title: str
    axis: str
    """Title of the horizontal axis, with the unit."""
    note: str
    """How to read the histogram, in one sentence."""
    edges: tuple[float, ...]
    """Bin edges, ascending."""
    labels: tuple[str, ...]
    """Name of each series; a single empty name if there is only one series."""
    counts: tuple[tuple[int, ...], ...]
    """Number of clips in each bin, for each series; bars are stacked."""
    marks: tuple[float, ...]
    """Value of each clip; empty for intervals."""
    clips: int
    least: float
    most: float
    reference: tuple[float, str] | None
    """A value that is marked by a line, and what it means."""

    @property
    def median(self) -> float | None:
        """Median over the clips; None for intervals."""
        return float(np.median(self.marks)) if self.marks else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A quality figure: how to read it from the rows, and what to call it."""

    title: str
    axis: str
    note: str
    series: Callable[[Sequence[ManifestRow]], tuple[Series, ...]]
    reference: tuple[float, str] | None = None


def nice_edges(low: float, high: float, *, bins: int) -> tuple[float, ...]:
    """Return about `bins` bins at most, with round edges, that hold every value in [low, high]."""
    if high - low <= 1e-6 * max(abs(low), abs(high)):  # the same figure, but for rounding
        low, high = low - (abs(low) or 1.0) * 0.05, high + (abs(high) or 1.0) * 0.05
    rough = (high - low) / bins
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    digits = 2 - math.floor(math.log10(step))
    return tuple(round(index * step, digits) for index in range(first, last + 1))


def count(intervals: Intervals, edges: Sequence[float]) -> tuple[int, ...]:
    """Count the clips that reach each bin [edge, next edge); the last bin includes its right edge."""
    right = np.asarray(edges[1:])
    first = np.minimum(np.searchsorted(right, [low for low, _ in intervals], side="right"), len(right) - 1)
    last = np.minimum(np.searchsorted(right, [high for _, high in intervals], side="right"), len(right) - 1)
    counts: NDArray[np.int64] = np.zeros(len(right), dtype=np.int64)
    for start, stop in zip(first, last, strict=True):
        counts[start : stop + 1] += 1
    return tuple(int(value) for value in counts)


def build_histograms(rows: Sequence[ManifestRow], figures: Sequence[Figure]) -> tuple[Histogram, ...]:
    """Return a histogram for each figure that at least one published row has."""
    published = [row for row in rows if row.status == "published"]
    drawn = [(figure, figure.series(published)) for figure in figures]
    return tuple(_histogram(figure, series) for figure, series in drawn if any(s.values for s in series))


def _histogram(figure: Figure, series: tuple[Series, ...]) -> Histogram:
    intervals = [interval for one in series for interval in one.values]
    least, most = min(low for low, _ in intervals), max(high for _, high in intervals)
    single = all(low == high for low, high in intervals)
    edges = nice_edges(least, most, bins=BINS["values" if single else "intervals"])
    return Histogram(
        title=figure.title,
        axis=figure.axis,
        note=figure.note,
        edges=edges,
        labels=tuple(one.label for one in series),
        counts=tuple(count(one.values, edges) for one in series),
        marks=tuple(sorted(low for low, _ in intervals)) if single else (),
        clips=len(intervals),
        least=least,
        most=most,
        reference=figure.reference,
    )
