from __future__ import annotations

from collections.abc import Callable

from model.samples.manifest import ManifestRow
from tasks.report.facts import BuildFacts
from tasks.report.notices import build_notices

MakeRow = Callable[..., ManifestRow]


def said(rows: list[ManifestRow], facts: BuildFacts) -> str:
    return "\n".join(notice.before + notice.quoted + notice.after for notice in build_notices(rows, facts))


def test_everything_untrained_synthetic_or_assumed_is_said(make_row: MakeRow, facts: BuildFacts) -> None:
    text = said([make_row(), make_row("b.mp4", focal_observable=False)], facts)
    assert "Synthetic source: embedded studio (studio captures)" in text
    assert "features of 2 clips come from untrained small" in text
    assert "2 clips fitted with builtin" in text
    assert "for 2 clips it was rendered from a fitted face model" in text
    assert "in 1 of 2 clips the motion does not determine it" in text


def test_trained_measured_and_filmed_needs_no_notice(make_row: MakeRow, facts: BuildFacts) -> None:
    filmed = facts.model_copy(update={"sources": facts.sources[:1]})
    row = make_row("S1/smile", kind="studio", speech_model=None, face_model=None, focal_observable=None)
    assert build_notices([row], filmed) == ()


def test_refused_rows_are_no_part_of_it(make_refused: MakeRow, facts: BuildFacts) -> None:
    filmed = facts.model_copy(update={"sources": ()})
    row = make_refused("a.mp4", "lost_track", speech_model="untrained", face_model="builtin")
    assert build_notices([row], filmed) == ()
