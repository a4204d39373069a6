from __future__ import annotations

from xml.etree import ElementTree

import pytest

from tasks.report.color_bar import WIDTH, draw_color_bar
from tasks.report.contact_sheet import DEPTH_COLORS


@pytest.mark.parametrize("span_mm", [0.4, 3, 57, 120, 455, 2200])
def test_ticks_are_millimetres_behind_the_nearest_point(span_mm: float) -> None:
    picture = ElementTree.fromstring(str(draw_color_bar(near_m=0.4, far_m=0.4 + span_mm / 1000)))
    ticks = [(text.text or "", float(text.get("x") or 0)) for text in picture.iter("text")]
    assert ticks[0] == ("0 mm", 0.0)
    assert len(ticks) <= 10
    for label, x in ticks[1:]:
        assert x == pytest.approx(WIDTH * float(label) / span_mm, abs=0.5)
    assert all(0 <= x <= WIDTH for _, x in ticks)


def test_a_surface_without_relief_still_has_a_scale() -> None:
    assert "0 mm" in draw_color_bar(near_m=0.4, far_m=0.4)


def test_colours_run_from_the_near_to_the_far_one_without_gaps() -> None:
    picture = ElementTree.fromstring(str(draw_color_bar(near_m=0.4, far_m=0.5)))
    stripes = [
        (float(r.get("x") or 0), float(r.get("width") or 0), r.get("fill")) for r in picture.iter("rect")
    ]
    ends = [x + width for x, width, _ in stripes]
    assert all(x <= end for (x, _, _), end in zip(stripes[1:], ends, strict=False))
    assert ends[-1] == pytest.approx(WIDTH)
    assert (stripes[0][2], stripes[-1][2]) == tuple(
        "#" + bytes(DEPTH_COLORS[index]).hex() for index in (3, 252)
    )
