from __future__ import annotations

from collections.abc import Callable

import pytest

from model.samples.manifest import ManifestRow
from tasks.report.choose_clips import choose_clips

MakeRow = Callable[..., ManifestRow]


@pytest.mark.parametrize("max_clips", [0, 1, 2, 5, 9, 20, 30])
def test_as_many_as_fit_each_once_in_their_order(make_row: MakeRow, max_clips: int) -> None:
    rows = [make_row(f"{k}.mp4", landmark_nme=0.01 + 0.001 * (k * 7 % 20)) for k in range(20)]
    chosen = choose_clips(rows, max_clips)
    assert len(chosen) == min(max_clips, 20)
    assert [row for row in rows if row in chosen] == chosen


def test_half_of_them_are_the_worst_and_the_rest_is_spread(make_row: MakeRow) -> None:
    rows = [make_row(f"{k}.mp4", landmark_nme=0.05 if k in (3, 4) else 0.01) for k in range(100)]
    places = [rows.index(row) for row in choose_clips(rows, 4)]
    assert {3, 4} < set(places)
    assert any(20 < place < 50 for place in places)
    assert any(place > 50 for place in places)


def test_rows_without_a_landmark_error_can_be_chosen_too(make_row: MakeRow) -> None:
    rows = [make_row(f"{k}", kind="studio", landmark_nme=None) for k in range(9)]
    assert len(choose_clips(rows, 4)) == 4
