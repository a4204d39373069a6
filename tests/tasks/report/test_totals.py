from __future__ import annotations

from collections.abc import Callable

from model.samples.manifest import ManifestRow
from tasks.report.facts import BuildFacts
from tasks.report.totals import build_origin, build_splits, build_totals

MakeRow = Callable[..., ManifestRow]


def test_totals_count_published_rows(make_row: MakeRow, make_refused: MakeRow) -> None:
    rows = [
        make_row(frames=100),
        make_row("b.mp4", frames=50, has_audio=False, subject_id="ben"),
        make_row("S1/smile", kind="studio", fps=None, frames=3, has_audio=False),
        make_refused("c.mp4", "no_face"),
    ]
    totals = build_totals(rows)
    assert (totals["sources"], totals["published"], totals["quarantined"]) == ("4", "3", "1")
    assert (totals["frames"], totals["of video"], totals["with sound"]) == ("153", "6.0 s", "1")
    assert totals["subjects"] == "2"


def test_splits_are_always_three_and_their_shares_add_up(make_row: MakeRow) -> None:
    rows = [make_row(frames=75), make_row("b.mp4", frames=25, split="test", subject_id="ben")]
    splits = build_splits(rows)
    assert list(splits) == ["train", "val", "test"]
    assert [split["share"] for split in splits.values()] == [0.75, 0.0, 0.25]
    assert splits["test"]["subjects"] == 1
    assert build_splits([])["train"]["share"] == 0.0


def test_origin_joins_versions_and_licences_by_name(facts: BuildFacts) -> None:
    joined = facts.model_copy(update={"tools": {"b": "2", "a": "1"}, "licences": {"a": "MIT", "c": "BSD"}})
    assert build_origin(joined) == [("a", "1", "MIT"), ("b", "2", "–"), ("c", "–", "BSD")]
