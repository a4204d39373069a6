"""Draw a histogram as inline SVG: axes with titles, round bin edges, whole counts, a tick for each clip."""

from __future__ import annotations

import math

from markupsafe import Markup

from tasks.report.histograms import Histogram
from tasks.report.svg import drawing, element, text

WIDTH, HEIGHT = 360.0, 222.0
LEFT, RIGHT, TOP, BOTTOM = 40.0, 16.0, 24.0, 52.0
RUG = 7.0
"""Height of the ticks under the axis, one for each clip, px."""
MOST_MARKS = 200
"""Most clips for which ticks are drawn; more ticks would merge into a bar."""


def draw_histogram(histogram: Histogram) -> Markup:
    """Draw the whole histogram."""
    totals = [sum(bars) for bars in zip(*histogram.counts, strict=True)]
    step = _count_step(max(totals))
    top = math.ceil(max(totals) / step) * step
    return drawing(
        _count_axis(top, step),
        *_bars(histogram, top),
        _rug(histogram),
        _value_axis(histogram),
        *_lines(histogram),
        width=WIDTH,
        height=HEIGHT,
        label=f"Histogram of {histogram.clips} clips: {histogram.title}, {histogram.axis}",
        class_="chart",
    )


def _x(histogram: Histogram, value: float) -> float:
    low, high = histogram.edges[0], histogram.edges[-1]
    return LEFT + (WIDTH - LEFT - RIGHT) * (value - low) / (high - low)


def _y(count: float, top: int) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * count / top


def _count_step(highest: int) -> int:
    """Choose a whole-number step that gives at most four intervals."""
    rough = max(1.0, highest / 4)
    power = int(10.0 ** math.floor(math.log10(rough)))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)


def _count_axis(top: int, step: int) -> Markup:
    marks: list[Markup] = []
    for count in range(0, top + 1, step):
        y = _y(count, top)
        marks.append(
            element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="axis" if count == 0 else "grid")
        )
        marks.append(text(str(count), LEFT - 7, y + 3.5, class_="tick", anchor="end"))
    marks.append(text("clips", LEFT - 7, TOP - 12, class_="tick", anchor="end"))
    return element("g", *marks)


def _bars(histogram: Histogram, top: int) -> list[Markup]:
    bars = []
    for index in range(len(histogram.edges) - 1):
        low, high = histogram.edges[index], histogram.edges[index + 1]
        left, right = _x(histogram, low), _x(histogram, high)
        below = 0
        for number, counts in enumerate(histogram.counts):
            if not counts[index]:
                continue
            above = below + counts[index]
            name = f" {histogram.labels[number]}" if histogram.labels[number] else ""
            bars.append(
                element(
                    "rect",
                    element("title", f"{low:g} to {high:g}: {counts[index]} clips{name}"),
                    x=left + 0.75,
                    y=_y(above, top),
                    width=right - left - 1.5,
                    height=_y(below, top) - _y(above, top),
                    class_=f"bar series-{number}",
                )
            )
            below = above
    return bars


def _rug(histogram: Histogram) -> Markup:
    marks = histogram.marks if len(histogram.marks) <= MOST_MARKS else ()
    top = HEIGHT - BOTTOM + 2
    lines = [
        element("line", x1=_x(histogram, value), x2=_x(histogram, value), y1=top, y2=top + RUG, class_="rug")
        for value in marks
    ]
    return element("g", *lines)


def _value_axis(histogram: Histogram) -> Markup:
    step = histogram.edges[1] - histogram.edges[0]
    every = next(n for n in (1, 2, 4, 5, 10, 20) if (len(histogram.edges) - 1) / n <= 7)
    base = HEIGHT - BOTTOM + 2 + RUG + 12
    ticks = [
        text(f"{edge:g}".replace("-", "−"), _x(histogram, edge), base, class_="tick", anchor="middle")
        for edge in histogram.edges
        if round(edge / step) % every == 0
    ]
    middle = LEFT + (WIDTH - LEFT - RIGHT) / 2
    return element(
        "g", *ticks, text(histogram.axis, middle, HEIGHT - 10, class_="axis-title", anchor="middle")
    )


def _lines(histogram: Histogram) -> list[Markup]:
    median, reference = histogram.median, histogram.reference
    if reference and not histogram.edges[0] <= reference[0] <= histogram.edges[-1]:
        reference = None
    # Each label stands on the side away from the other line, or below it where the margin is too near.
    median_right = not reference or (median or 0.0) > reference[0]
    marks = [] if median is None else [(median, "median", "median", median_right)]
    if reference:
        marks.append((*reference, "reference", median is not None and not median_right))
    sides = [_is_right(_x(histogram, value), label, right) for value, label, _, right in marks]
    beside = len(set(sides)) == len(sides)
    return [
        _line(_x(histogram, value), label, class_, right=right, row=0 if beside else row)
        for row, ((value, label, class_, _), right) in enumerate(zip(marks, sides, strict=True))
    ]


def _is_right(x: float, label: str, wanted: bool) -> bool:
    """Choose the side of a marked line where its label has room."""
    room = 6.0 * len(label)
    return (wanted and x < WIDTH - RIGHT - room) or x < LEFT + room


def _line(x: float, label: str, class_: str, *, right: bool, row: int) -> Markup:
    return element(
        "g",
        element("line", x1=x, x2=x, y1=TOP - 14, y2=HEIGHT - BOTTOM, class_=class_),
        text(
            label,
            x + (4 if right else -4),
            TOP - 6 + 12 * row,
            class_=f"{class_}-label",
            anchor="start" if right else "end",
        ),
    )
