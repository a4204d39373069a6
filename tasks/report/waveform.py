"""Waveform and mouth opening of a clip on one time axis, as inline SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from rendering.fitting.landmark_groups import EYE_CORNERS, LIP_PAIRS, pair_distances
from tasks.report.svg import drawing, element, path, text

SOUND_HEIGHT, MOUTH_HEIGHT, GAP, AXIS_HEIGHT = 72.0, 72.0, 14.0, 30.0
MOST_POINTS = 500
"""Most points of the line of the mouth opening; for a longer clip frames are skipped."""
STEPS_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Sound of a clip and its mouth opening over time."""

    duration_s: float
    samples: NDArray[np.int16] | None
    """Sound at 16 kHz, (S,); None if the clip has no sound."""
    mouth: NDArray[np.floating[Any]] | None
    """Lip gap divided by the distance of the outer eye corners, (N,); NaN where no face was found."""
    shown_s: tuple[float, ...]
    """Times of the pictures above the curves, seconds."""


def mouth_opening(landmarks: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Divide the mean inner lip gap by the distance of the outer eye corners: (N, 478, 3) px -> (N,)."""
    gap = pair_distances(landmarks, LIP_PAIRS)
    return np.asarray(gap / pair_distances(landmarks, (EYE_CORNERS,)))


def envelope(samples: NDArray[np.int16], columns: int) -> NDArray[np.float64]:
    """Find the lowest and highest sample of each column of pixels: (S,) -> (columns, 2) in -1..1."""
    edges = np.linspace(0, len(samples), columns + 1).astype(np.int64)
    starts = np.minimum(edges[:-1], len(samples) - 1)
    low, high = np.minimum.reduceat(samples, starts), np.maximum.reduceat(samples, starts)
    return np.asarray(np.stack([low, high], axis=-1) / 32768.0)


def draw_track(track: Curve, *, width: float) -> Markup:
    """Draw the waveform above the mouth opening; x runs from the start to the end of the clip."""
    mouth_top = SOUND_HEIGHT + GAP
    bottom = mouth_top + MOUTH_HEIGHT
    return drawing(
        _time_axis(track, width, bottom),
        _shown(track, width, bottom),
        _sound(track.samples, width),
        _mouth(track, width, mouth_top),
        width=width,
        height=bottom + AXIS_HEIGHT,
        label=f"Sound and mouth opening over {track.duration_s:.1f} seconds",
        class_="track",
    )


def _time_axis(track: Curve, width: float, bottom: float) -> Markup:
    step = next((step for step in STEPS_S if track.duration_s / step <= 12), STEPS_S[-1])
    marks = [element("line", x1=0, x2=width, y1=bottom, y2=bottom, class_="axis")]
    for index in range(int(track.duration_s / step + 1e-9) + 1):
        x = width * index * step / track.duration_s
        anchor = "start" if index == 0 else "end" if x > width - 24 else "middle"
        label = f"{index * step:g} s"
        marks.append(element("line", x1=x, x2=x, y1=0, y2=bottom, class_="grid"))
        marks.append(text(label, x, bottom + 15, class_="tick", anchor=anchor))
    return element("g", *marks)


def _shown(track: Curve, width: float, bottom: float) -> Markup:
    lines = []
    for shown_s in track.shown_s:
        x = width * shown_s / track.duration_s
        lines.append(element("line", x1=x, x2=x, y1=0, y2=bottom, class_="shown"))
        lines.append(
            element("path", d=path([(x - 5, 0), (x + 5, 0), (x, 7)], closed=True), class_="shown-head")
        )
    return element("g", *lines)


def _sound(samples: NDArray[np.int16] | None, width: float) -> Markup:
    middle = SOUND_HEIGHT / 2
    if samples is None or not len(samples):
        return text("no sound", width / 2, middle + 4, class_="tick", anchor="middle")
    bounds = envelope(samples, int(width / 3))
    peak = max(float(np.abs(bounds).max()), 1.0 / 32768.0)
    xs = (np.arange(len(bounds)) + 0.5) * (width / len(bounds))
    reach = (SOUND_HEIGHT / 2 - 6) / peak
    # At least half a pixel, so that silence is a line and not nothing.
    upper = [
        (float(x), middle - max(float(high) * reach, 0.5)) for x, high in zip(xs, bounds[:, 1], strict=True)
    ]
    lower = [
        (float(x), middle - min(float(low) * reach, -0.5)) for x, low in zip(xs, bounds[:, 0], strict=True)
    ]
    level = 20.0 * np.log10(peak)
    return element(
        "g",
        element("path", d=path([*upper, *reversed(lower)], closed=True), class_="sound"),
        text(f"peak {level:.0f} dBFS".replace("-", "−"), width - 4, 11, class_="tick halo", anchor="end"),
    )


def _mouth(track: Curve, width: float, top: float) -> Markup:
    if track.mouth is None or not np.isfinite(track.mouth).any():
        return text("no landmarks", width / 2, top + MOUTH_HEIGHT / 2, class_="tick", anchor="middle")
    highest = max(float(np.nanmax(track.mouth)), 0.05)
    reach = (MOUTH_HEIGHT - 10) / highest
    every = -(-len(track.mouth) // MOST_POINTS)
    mouth = track.mouth[::every]
    xs = (np.arange(0, len(track.mouth), every) + 0.5) * (width / len(track.mouth))
    base = top + MOUTH_HEIGHT
    lines = [
        element(
            "path",
            d=path([(float(xs[i]), base - float(mouth[i]) * reach) for i in run]),
            class_="mouth",
        )
        for run in _runs(np.isfinite(mouth))
    ]
    return element(
        "g", *lines, text(f"widest {highest:.2f}", width - 4, top + 4, class_="tick halo", anchor="end")
    )


def _runs(good: NDArray[np.bool_]) -> Sequence[NDArray[np.int64]]:
    """Return the indices of each unbroken run of good frames."""
    indices = np.flatnonzero(good)
    return np.split(indices, np.flatnonzero(np.diff(indices) > 1) + 1)
