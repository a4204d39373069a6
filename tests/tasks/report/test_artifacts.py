from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from model.samples.manifest import ManifestRow
from tasks.report import artifacts
from tasks.report.artifacts import funnel_table, publish_artifacts, refused_table, throughput_table
from tasks.report.facts import BuildFacts

MakeRow = Callable[..., ManifestRow]


def test_tables_are_plain_json_with_one_shape_of_line(
    make_row: MakeRow, make_refused: MakeRow, facts: BuildFacts
) -> None:
    rows = [make_row(), make_refused("b.mp4", "no_face"), make_refused("c.mp4", "too_short", "11 frames")]
    for table in (funnel_table(rows, facts), refused_table(rows, facts), throughput_table(facts.timings)):
        assert json.loads(json.dumps(table)) == table
        assert len({tuple(line) for line in table}) == 1


def test_the_funnel_says_who_left_where(make_row: MakeRow, make_refused: MakeRow, facts: BuildFacts) -> None:
    table = funnel_table([make_row(), make_refused("b.mp4", "no_face")], facts)
    lines = {line["stage"]: line for line in table}
    assert lines["landmarks"] == {
        "kind": "wild", "stage": "landmarks", "in": 2, "out": 1, "refused": "no_face 1",
    }  # fmt: skip
    assert lines["publish"]["out"] == 1


def test_unseen_characters_of_names_are_shown(make_refused: MakeRow, facts: BuildFacts) -> None:
    (line,) = refused_table([make_refused("\x1b[2Ja\u202eb", "no_face", "x\ny")], facts)
    assert line["source"] == "⟨U+001B⟩[2Ja⟨U+202E⟩b"
    assert line["in words"] == "x⟨U+000A⟩y"


def test_a_long_quarantine_is_cut(make_refused: MakeRow, facts: BuildFacts) -> None:
    row = make_refused("a.mp4", "no_face")
    assert len(refused_table([row] * 1500, facts)) == artifacts.MOST_LINES


def test_rates_are_frames_a_second_of_one_core(facts: BuildFacts) -> None:
    assert [line["frames/s per core"] for line in throughput_table(facts.timings)] == [0.0, 100.0]


def test_outside_a_flow_run_nothing_is_sent(
    make_row: MakeRow, facts: BuildFacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    monkeypatch.setattr(artifacts, "create_markdown_artifact", lambda *_, key, **__: sent.append(key))
    monkeypatch.setattr(artifacts, "create_table_artifact", lambda *_, key, **__: sent.append(key))
    publish_artifacts([make_row()], facts)
    assert sent == []
    monkeypatch.setattr(artifacts.FlowRunContext, "get", lambda: object())
    publish_artifacts([make_row()], facts)
    assert sent == ["heads-card", "heads-funnel", "heads-throughput"]
