from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.report.svg import drawing, element, number, path, text


@pytest.mark.parametrize(
    ("value", "written"),
    [(3, "3"), (3.0, "3"), (0.1 + 0.2, "0.3"), (-1.256, "-1.26"), (1e6, "1000000"), (10.0, "10")],
)
def test_numbers_are_short_and_plain(value: float, written: str) -> None:
    assert number(value) == written


@given(st.text(st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff")))
def test_content_and_attributes_are_data(content: str) -> None:
    picture = element("text", content, class_=content, x=1)
    parsed = ElementTree.fromstring(str(picture))
    assert parsed.tag == "text"
    assert (parsed.text or "") == content
    assert parsed.get("class") == content
    assert list(parsed) == []


def test_elements_nest_without_being_escaped_twice() -> None:
    inner = element("title", "a < b")
    picture = drawing(inner, width=10, height=5.5, label='"x"', class_="chart")
    assert "<title>a &lt; b</title>" in picture
    assert 'viewBox="0 0 10 5.5"' in picture
    assert ElementTree.fromstring(str(picture)).get("aria-label") == '"x"'


def test_paths_and_labels() -> None:
    assert path([(0, 1.26), (2, 3)], closed=True) == "M0.0 1.3L2.0 3.0Z"
    assert 'text-anchor="end"' in text("a", 1, 2, class_="tick", anchor="end")
