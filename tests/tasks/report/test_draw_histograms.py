from __future__ import annotations

import re
from collections.abc import Callable
from xml.etree import ElementTree

import pytest

from model.samples.manifest import ManifestRow
from tasks.report.draw_histograms import draw_histogram
from tasks.report.histograms import Histogram, build_histograms
from tasks.report.quality_figures import FIGURES

MakeRow = Callable[..., ManifestRow]


def drawn(histogram: Histogram) -> ElementTree.Element:
    return ElementTree.fromstring(str(draw_histogram(histogram)))


def histogram(make_row: MakeRow, title: str, **columns: list[float | bool]) -> Histogram:
    lines = zip(*columns.values(), strict=True)
    rows = [make_row(f"{k}.mp4", **dict(zip(columns, line, strict=True))) for k, line in enumerate(lines)]
    return next(one for one in build_histograms(rows, FIGURES) if one.title == title)


def bars(picture: ElementTree.Element) -> list[dict[str, str]]:
    return [rect.attrib for rect in picture.iter("rect")]


def test_bar_heights_are_proportional_to_counts(make_row: MakeRow) -> None:
    shown = histogram(make_row, "Clip length", frames=[100, 100, 100, 200])
    heights = [float(bar["height"]) for bar in bars(drawn(shown))]
    assert len(heights) == 2
    assert heights[0] == pytest.approx(3 * heights[1], abs=0.05)


def test_every_clip_has_its_tick_and_the_axis_its_title(make_row: MakeRow) -> None:
    shown = histogram(make_row, "Landmark error", landmark_nme=[0.01, 0.012, 0.02])
    picture = drawn(shown)
    assert len([line for line in picture.iter("line") if line.get("class") == "rug"]) == 3
    assert "rms distance / outer eye corners, %" in [text.text for text in picture.iter("text")]


def test_series_are_stacked_and_told_apart(make_row: MakeRow) -> None:
    shown = histogram(make_row, "Focal length", focal_px=[900.0, 900.0], focal_observable=[True, False])
    lower, upper = bars(drawn(shown))
    assert (lower["class"], upper["class"]) == ("bar series-0", "bar series-1")
    assert float(upper["y"]) + float(upper["height"]) == pytest.approx(float(lower["y"]), abs=0.02)


@pytest.mark.parametrize("clips", [1, 2, 3, 7, 40, 1234])
def test_count_ticks_are_whole_and_the_highest_bar_fits(make_row: MakeRow, clips: int) -> None:
    picture = drawn(histogram(make_row, "Clip length", frames=[100] * clips))
    ticks = [text.text or "" for text in picture.iter("text") if text.get("text-anchor") == "end"]
    counts = [int(tick) for tick in ticks if re.fullmatch(r"\d+", tick)]
    assert max(counts) >= clips
    assert counts == sorted(set(counts))
    assert len(counts) <= 6
    assert min(float(bar["y"]) for bar in bars(picture)) >= 0


def test_labels_near_the_margin_stand_one_below_the_other(make_row: MakeRow) -> None:
    """On the left of the first bin there is no room for either."""
    shown = histogram(make_row, "Face size", crop_size_px=[505.0] * 7 + [512.0] * 9 + [740.0])
    labels = [
        text for text in drawn(shown).iter("text") if text.get("class") in ("median-label", "reference-label")
    ]
    assert len(labels) == 2
    places = {(text.get("text-anchor"), text.get("y")) for text in labels}
    assert len(places) == 2


@pytest.mark.parametrize("reference_first", [True, False])
def test_labels_of_median_and_reference_stand_apart(make_row: MakeRow, reference_first: bool) -> None:
    sizes = [500.0, 520.0, 540.0] if reference_first else [480.0, 500.0, 520.0]
    labels = {
        text.get("class"): text.get("text-anchor")
        for text in drawn(histogram(make_row, "Face size", crop_size_px=sizes)).iter("text")
    }
    sides = (labels["reference-label"], labels["median-label"])
    assert sides == (("end", "start") if reference_first else ("start", "end"))


def test_a_label_at_the_left_end_keeps_off_the_counts(make_row: MakeRow) -> None:
    picture = drawn(histogram(make_row, "Source frame rate", source_fps=[25.0, 30.0]))
    (label,) = [text for text in picture.iter("text") if text.get("class") == "reference-label"]
    assert label.get("text-anchor") == "start"


def test_a_reference_outside_the_figure_is_not_drawn(make_row: MakeRow) -> None:
    picture = drawn(histogram(make_row, "Face size", crop_size_px=[100.0, 120.0]))
    assert "reference-label" not in {text.get("class") for text in picture.iter("text")}
