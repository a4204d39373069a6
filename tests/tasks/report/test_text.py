from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.report.text import UNSEEN, code_block, code_span, duration, fixed, grouped, visible

anything = st.text(st.characters())


@given(anything)
def test_visible_text_has_only_characters_with_a_picture_and_is_valid_utf8(text: str) -> None:
    shown = visible(text)
    shown.encode()
    assert not any(unicodedata.category(character) in UNSEEN for character in shown)
    assert visible(shown) == shown
    if text.isprintable():
        assert shown == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31m", "⟨U+001B⟩[31m"),
        ("a\u202eb", "a⟨U+202E⟩b"),
        ("a\nb", "a⟨U+000A⟩b"),
        ("\udcff", "⟨U+DCFF⟩"),
        ("\u2028", "⟨U+2028⟩"),
        ("héllo متكلم 你好", "héllo متكلم 你好"),
    ],
)
def test_unseen_characters_are_shown_as_their_code(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(anything)
def test_a_code_span_is_one_line_closed_by_its_own_fence_and_no_table_cell(text: str) -> None:
    span = code_span(text)
    fence = re.match("`+", span)
    assert fence
    assert span.endswith(fence.group())
    inside = span[len(fence.group()) : -len(fence.group())]
    assert not re.search(f"(?<!`){fence.group()}(?!`)", inside)
    assert "|" not in span
    assert "\n" not in span


@given(anything)
def test_a_code_block_cannot_be_closed_from_inside(text: str) -> None:
    first, *inside, last = code_block(text, language="json").split("\n")
    assert first == f"{last}json"
    assert not any(last in line for line in inside)


def test_numbers_are_grouped_and_have_a_true_minus() -> None:
    assert grouped(1234567) == "1\u202f234\u202f567"
    assert fixed(-1234.5, 2) == "−1\u202f234.50"
    assert fixed(None, 2) == "–"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0.0 s"), (48.25, "48.2 s"), (59.999, "60.0 s"), (725, "12 min 5 s"), (12000, "3 h 20 min")],
)
def test_durations_are_said_in_fitting_units(seconds: float, said: str) -> None:
    assert duration(seconds) == said
