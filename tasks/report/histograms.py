"""Quality figures over the published clips as histograms: bins and counts here, drawing in draw_histograms."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.sample import ManifestRow

Intervals = Sequence[tuple[float, float]]
BINS = 12
"""Aimed at; the bin width is then rounded to 1, 2, 2.5 or 5 times a power of ten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One colour of a histogram."""

    label: str
    values: tuple[tuple[float, float], ...]
    """Interval that each clip covers; (x, x) for a single value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Counts of clips over one quality figure."""

    title: str
    axis: str
    """What the horizontal axis measures, with its unit."""
    note: str
    """How to read it, in one sentence."""
    edges: tuple[float, ...]
    """Bin edges, ascending."""
    labels: tuple[str, ...]
    """Name of each series; one empty name where there is only one."""
    counts: tuple[tuple[int, ...], ...]
    """Clips in each bin, for each series; bars are stacked."""
    marks: tuple[float, ...]
    """Each clip's own value; empty for intervals."""
    clips: int
    reference: tuple[float, str] | None
    """A value worth a line, and what it means."""

    @property
    def median(self) -> float | None:
        """Median of the clips' values; None for intervals."""
        return float(np.median(self.marks)) if self.marks else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A quality figure: how to read it off the rows and what to call it."""

    title: str
    axis: str
    note: str
    series: Callable[[Sequence[ManifestRow]], tuple[Series, ...]]
    reference: tuple[float, str] | None = None


def nice_edges(low: float, high: float) -> tuple[float, ...]:
    """Bin edges at round numbers that hold every value in [low, high]."""
    if high <= low:
        low, high = low - (abs(low) or 1.0) * 0.05, high + (abs(high) or 1.0) * 0.05
    rough = (high - low) / BINS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return tuple(round(index * step, 9) for index in range(first, last + 1))


def count(intervals: Intervals, edges: Sequence[float]) -> tuple[int, ...]:
    """Clips that reach each bin [edge, next edge); the last bin holds its right edge too."""
    right = np.asarray(edges[1:])
    first = np.minimum(np.searchsorted(right, [low for low, _ in intervals], side="right"), len(right) - 1)
    last = np.minimum(np.searchsorted(right, [high for _, high in intervals], side="right"), len(right) - 1)
    counts: NDArray[np.int64] = np.zeros(len(right), dtype=np.int64)
    for start, stop in zip(first, last, strict=True):
        counts[start : stop + 1] += 1
    return tuple(int(value) for value in counts)


def build_histograms(rows: Sequence[ManifestRow], figures: Sequence[Figure]) -> tuple[Histogram, ...]:
    """One histogram for each figure that at least one published row has."""
    published = [row for row in rows if row.status == "published"]
    drawn = [(figure, figure.series(published)) for figure in figures]
    return tuple(_histogram(figure, series) for figure, series in drawn if any(s.values for s in series))


def _histogram(figure: Figure, series: tuple[Series, ...]) -> Histogram:
    intervals = [interval for one in series for interval in one.values]
    edges = nice_edges(min(low for low, _ in intervals), max(high for _, high in intervals))
    single = all(low == high for low, high in intervals)
    return Histogram(
        title=figure.title,
        axis=figure.axis,
        note=figure.note,
        edges=edges,
        labels=tuple(one.label for one in series),
        counts=tuple(count(one.values, edges) for one in series),
        marks=tuple(sorted(low for low, _ in intervals)) if single else (),
        clips=len(intervals),
        reference=figure.reference,
    )


def _values(value: Callable[[ManifestRow], float | None]) -> Callable[[Sequence[ManifestRow]], tuple[Series, ...]]:
    def read(rows: Sequence[ManifestRow]) -> tuple[Series, ...]:
        found = [figure for figure in map(value, rows) if figure is not None]
        return (Series(label="", values=tuple((figure, figure) for figure in found)),)

    return read


def _intervals(
    low: Callable[[ManifestRow], float | None], high: Callable[[ManifestRow], float | None]
) -> Callable[[Sequence[ManifestRow]], tuple[Series, ...]]:
    def read(rows: Sequence[ManifestRow]) -> tuple[Series, ...]:
        pairs = [(low(row), high(row)) for row in rows]
        return (Series(label="", values=tuple((a, b) for a, b in pairs if a is not None and b is not None)),)

    return read


def _focal(rows: Sequence[ManifestRow]) -> tuple[Series, ...]:
    def of(observable: bool) -> tuple[tuple[float, float], ...]:
        ratios = [_focal_ratio(row) for row in rows if bool(row.focal_observable) is observable]
        return tuple((ratio, ratio) for ratio in ratios if ratio is not None)

    return (
        Series(label="determined by the motion", values=of(observable=True)),
        Series(label="set by the prior", values=of(observable=False)),
    )


def _focal_ratio(row: ManifestRow) -> float | None:
    if row.focal_px is None or row.source_width is None or row.source_height is None:
        return None
    return row.focal_px / max(row.source_width, row.source_height)


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _length_s(row: ManifestRow) -> float | None:
    return row.frames / row.fps if row.frames is not None and row.fps else None


FIGURES = (
    Figure(
        title="Landmark error",
        axis="rms distance / outer eye corners, %",
        note="How far the fitted face model's landmarks lie from the detected ones.",
        series=_values(lambda row: _scaled(row.landmark_nme, 100.0)),
    ),
    Figure(
        title="Photometric error",
        axis="mean absolute grey difference, % of full scale",
        note="Difference between the image and the fitted albedo under the fitted light, on visible skin.",
        series=_values(lambda row: _scaled(row.photometric_error, 100.0)),
    ),
    Figure(
        title="Head yaw",
        axis="yaw, degrees",
        note="Clips that reach each angle at some time: how much of the side views the version covers.",
        series=_intervals(lambda row: row.yaw_min_deg, lambda row: row.yaw_max_deg),
        reference=(0.0, "frontal"),
    ),
    Figure(
        title="Depth range",
        axis="distance from the camera, mm",
        note="Clips whose published surface, nearest to farthest point, covers each distance.",
        series=_intervals(
            lambda row: _scaled(row.depth_near_m, 1000.0), lambda row: _scaled(row.depth_far_m, 1000.0)
        ),
    ),
    Figure(
        title="Face size",
        axis="side of the crop square, source pixels",
        note="Left of the line the crop is enlarged to its 512 pixels and holds less detail than it seems.",
        series=_values(lambda row: row.crop_size_px),
        reference=(512.0, "512 px"),
    ),
    Figure(
        title="Clip length",
        axis="published part, seconds",
        note="Published frames at 25 frames per second.",
        series=_values(_length_s),
    ),
    Figure(
        title="Focal length",
        axis="focal length / longer side of the source frame",
        note="Where the motion does not determine the focal length the prior sets it, and depth's scale with it.",
        series=_focal,
    ),
)
"""The quality figures of a version, in the order they are shown."""
