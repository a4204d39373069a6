from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.samples.manifest import ManifestRow
from tasks.report.histograms import build_histograms, count, nice_edges
from tasks.report.quality_figures import FIGURES

MakeRow = Callable[..., ManifestRow]
values = st.floats(-1e4, 1e4).map(lambda value: round(value, 4))


@given(st.lists(values, min_size=1, max_size=40))
def test_every_value_is_counted_once_between_edges_at_round_numbers(found: list[float]) -> None:
    edges = nice_edges(min(found), max(found), bins=14)
    step = edges[1] - edges[0]
    assert edges[0] <= min(found)
    assert edges[-1] >= max(found)
    assert 1 <= len(edges) - 1 <= 16
    assert any(
        step / factor == pytest.approx(10 ** round(e), rel=1e-6)
        for factor in (1, 2, 2.5, 5)
        for e in range(-6, 6)
    )
    assert all(b - a == pytest.approx(step) for a, b in itertools.pairwise(edges))
    assert sum(count([(value, value) for value in found], edges)) == len(found)


def test_an_edge_belongs_to_the_bin_on_its_right_and_the_last_edge_to_the_last_bin() -> None:
    assert count([(1.0, 1.0), (0.0, 0.0), (3.0, 3.0)], [0.0, 1.0, 2.0, 3.0]) == (1, 1, 1)


def test_an_interval_counts_in_every_bin_it_reaches() -> None:
    assert count([(0.5, 2.5), (1.2, 1.4)], [0.0, 1.0, 2.0, 3.0]) == (1, 2, 1)


def test_figures_are_in_the_units_of_their_axes(make_row: MakeRow) -> None:
    rows = [make_row(), make_row("b.mp4", landmark_nme=0.02, frames=100, focal_observable=False)]
    found = {histogram.title: histogram for histogram in build_histograms(rows, FIGURES)}
    assert set(found) == {figure.title for figure in FIGURES}
    assert found["Landmark error"].marks == pytest.approx((1.32, 2.0))
    assert found["Clip length"].marks == pytest.approx((0.32, 4.0))
    assert found["Depth range"].least == pytest.approx(550)
    assert found["Depth range"].most == pytest.approx(620)
    assert found["Depth span"].median == pytest.approx(70)
    assert found["Head yaw"].median is None
    assert [sum(bars) for bars in found["Focal length"].counts] == [1, 1]
    assert found["Focal length"].marks == pytest.approx((1200 / 512, 1200 / 512))


def test_rows_without_a_figure_and_refused_rows_draw_nothing(
    make_row: MakeRow, make_refused: MakeRow
) -> None:
    rows = [make_row(landmark_nme=None), make_refused("b.mp4", "no_face", landmark_nme=0.5)]
    assert "Landmark error" not in {histogram.title for histogram in build_histograms(rows, FIGURES)}
    assert build_histograms([], FIGURES) == ()


@pytest.mark.parametrize("value", [1.866025404, 0.0, -3e-9, 4.2e11])
def test_figures_that_differ_by_rounding_get_bins_with_a_width(value: float) -> None:
    edges = nice_edges(value, value + abs(value) * 1e-15, bins=12)
    assert all(left < right for left, right in itertools.pairwise(edges))
    assert sum(count([(value, value)], edges)) == 1
