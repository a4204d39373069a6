from __future__ import annotations

from collections.abc import Callable

import pytest

from model.samples.manifest import ManifestRow
from tasks.report.card import build_card, markdown_table
from tasks.report.facts import BuildFacts
from tasks.roles import BY_NAME

MakeRow = Callable[..., ManifestRow]


def test_the_card_says_what_it_is_what_it_is_not_and_how_to_check_it(
    make_row: MakeRow, make_refused: MakeRow, facts: BuildFacts
) -> None:
    rows = [make_row(blobs={"crop": "ab" * 32, "fit": "cd" * 32}), make_refused("b.mp4", "no_face")]
    card = build_card(rows, facts)
    assert card.startswith("# `heads`, version 2\n")
    assert facts.root in card
    assert "3 added, 1 removed, 2 changed, 40 as before" in card
    assert "portrait-rgbd verify-dataset --store S --name heads\n" in card
    assert "Untrained speech model" in card
    assert "Synthetic source: `embedded studio`" in card
    assert "| `no_face` | 1 |" in card
    assert "| train | 1 | 1 | 8 |" in card
    assert f"| `crop` | {BY_NAME['crop'].holds} |" in card
    assert "`mask` |" not in card
    assert '"iterations": 6' in card


def test_the_same_version_gives_the_same_card(make_row: MakeRow, facts: BuildFacts) -> None:
    assert build_card([make_row()], facts) == build_card([make_row()], facts)


def test_timings_are_no_part_of_the_card(make_row: MakeRow, facts: BuildFacts) -> None:
    faster = facts.model_copy(update={"timings": ()})
    assert build_card([make_row()], faster) == build_card([make_row()], facts)


def test_names_are_quoted_for_the_shell(facts: BuildFacts) -> None:
    card = build_card([], facts.model_copy(update={"name": "a b; rm -rf ~"}))
    assert "--name 'a b; rm -rf ~'" in card


@pytest.mark.parametrize(
    "text", ["```\n# x", "a | b", "[x](http://e)", "![i](x)", "`", "<b>", "\x1b[2J", "a\\"]
)
def test_data_stays_inside_code_and_tables_keep_their_cells(
    text: str, make_row: MakeRow, facts: BuildFacts
) -> None:
    source = facts.sources[0].model_copy(update={"label": text, "licence": text, "synthetic": True})
    hostile = facts.model_copy(
        update={"name": text, "sources": (source,), "tools": {text: text}, "settings": {text: text}}
    )
    card = build_card([make_row(speech_model=f"untrained {text}")], hostile)
    assert "\x1b" not in card
    plain = build_card([make_row()], facts.model_copy(update={"sources": (source,), "tools": {"a": "b"}}))
    assert card.count("\n## ") == plain.count("\n## ")
    tables = [line for line in card.split("\n") if line.startswith("|")]
    assert {line.count("|") - 1 for line in tables} <= {2, 3, 4, 7}
    assert not any(line.startswith("# x") for line in card.split("\n"))


def test_a_table_without_lines_is_left_out() -> None:
    assert markdown_table(("a", "b"), []) == ""
    assert markdown_table(("a", "b"), [("1", "2")]) == "| a | b |\n|---|---|\n| 1 | 2 |"
