"""The quality figures that a report shows: how to read each from the rows, and what to call it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from model.samples.manifest import ManifestRow
from tasks.report.histograms import Figure, Series


def _values(
    value: Callable[[ManifestRow], float | None],
) -> Callable[[Sequence[ManifestRow]], tuple[Series, ...]]:
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


def _depth_span_mm(row: ManifestRow) -> float | None:
    if row.depth_near_m is None or row.depth_far_m is None:
        return None
    return (row.depth_far_m - row.depth_near_m) * 1000.0


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
        title="Depth span",
        axis="farthest minus nearest point of a clip, mm",
        note="The face's own relief and how far the head moves to and from the camera.",
        series=_values(_depth_span_mm),
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
        title="Source frame rate",
        axis="frames per second",
        note="Away from the line frames were left out or repeated to reach 25 a second.",
        series=_values(lambda row: row.source_fps),
        reference=(25.0, "25"),
    ),
    Figure(
        title="Focal length",
        axis="focal length / longer side of the source frame",
        note="Where the motion does not determine it, a prior sets it and with it the distance.",
        series=_focal,
    ),
)
"""Return the quality figures of a version in the order in which they are shown."""
