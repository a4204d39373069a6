"""The colour bar of the depth tiles, as inline SVG."""

from __future__ import annotations

import math

from markupsafe import Markup

from tasks.report.contact_sheet import CONTOUR_MM, DEPTH_COLORS
from tasks.report.svg import drawing, element, text

WIDTH, HEIGHT = 560.0, 44.0
STRIPES = 40


def draw_color_bar(*, near_m: float, far_m: float) -> Markup:
    """Draw the colours from the nearest to the farthest point of a clip, in mm behind the nearest."""
    span_mm = max((far_m - near_m) * 1000.0, 1e-3)
    stripe = WIDTH / STRIPES
    colors = [
        element(
            "rect",
            x=index * stripe,
            y=0,
            # Stripes overlap, or a browser's rounding shows the page between them.
            width=min(stripe + 0.5, WIDTH - index * stripe),
            height=14,
            fill="#" + bytes(DEPTH_COLORS[round((index + 0.5) * 256 / STRIPES - 0.5)]).hex(),
        )
        for index in range(STRIPES)
    ]
    step = _tick_step(span_mm)
    ticks = []
    for index in range(int(span_mm / step + 1e-9) + 1):
        x = WIDTH * index * step / span_mm
        anchor = "start" if index == 0 else "end" if x > WIDTH - 16 else "middle"
        ticks.append(element("line", x1=x, x2=x, y1=14, y2=19, class_="axis"))
        ticks.append(
            text(
                f"{index * step:g} mm" if index == 0 else f"{index * step:g}",
                x,
                31,
                class_="tick",
                anchor=anchor,
            )
        )
    return drawing(
        *colors,
        *ticks,
        width=WIDTH,
        height=HEIGHT - 8,
        label=f"Depth scale: 0 to {span_mm:.0f} mm behind the nearest point, a line each {CONTOUR_MM:g} mm",
        class_="color-bar",
    )


def _tick_step(span_mm: float) -> float:
    rough = span_mm / 8
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
