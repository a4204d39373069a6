from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from model.samples.manifest import ManifestRow
from tasks.report.facts import BuildFacts, SourceFacts
from tasks.report.report import build_report

MakeRow = Callable[..., ManifestRow]
ClipPaths = Mapping[str, Path]

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</style></title></textarea><svg onload=alert(1)>",
    "{{ 7 * 7 }}{% include '/etc/passwd' %}",
    "line\nbreak\r\n\ttab\x00null",
    "\x1b[31mred\x1b]0;title\x07",
    "\u202egnp.exe",
    "&lt;b&gt; &amp; &#x3c;script&#x3e;",
    "javascript:alert(1)",
    "\udcff undecodable",
]
VOID = {"meta", "img", "br", "hr", "input", "link", "base"}


class Outline(HTMLParser):
    """Elements with their attribute names, all attribute values, all text, and whether tags nest."""

    def __init__(self, page: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.values: list[tuple[str, str, str]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(page.decode("utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(name for name, _ in attrs)))
        self.values += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def page_of(
    row: ManifestRow, refused: ManifestRow, facts: BuildFacts, files: ClipPaths, **options: Any
) -> bytes:
    return build_report([row, refused], facts, lambda _: files, **options)


@pytest.fixture(scope="module")
def crop_only(clip_files: ClipPaths) -> ClipPaths:
    return {"crop": clip_files["crop"]}


def with_text(text: str, make_row: MakeRow, make_refused: MakeRow, facts: BuildFacts) -> dict[str, Any]:
    """A version in which every string that comes from data is this text."""
    return {
        "row": make_row(
            text, subject_id=text, reason="scene_cut", detail=text, speech_model=f"untrained {text}",
            face_model=f"builtin {text}",
        ),
        "refused": make_refused(f"{text}2", "no_face", text),
        "facts": facts.model_copy(
            update={
                "name": text,
                "sources": (SourceFacts(label=text, kind="wild", synthetic=True, licence=text),),
                "settings": {text: text},
                "tools": {text: text},
                "licences": {text: text},
            }
        ),
    }  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_text_from_data_never_becomes_markup(
    text: str, make_row: MakeRow, make_refused: MakeRow, facts: BuildFacts, crop_only: ClipPaths
) -> None:
    plain = Outline(page_of(**with_text("plain", make_row, make_refused, facts), files=crop_only))
    hostile = Outline(page_of(**with_text(text, make_row, make_refused, facts), files=crop_only))
    assert hostile.elements == plain.elements
    assert hostile.values == plain.values
    shown = "".join(hostile.text)
    assert not any(character in shown for character in "\x00\x07\x1b\r\t\u202e")
    if text.isprintable():
        assert text in shown


def test_the_page_runs_nothing_and_asks_nobody(
    make_row: MakeRow, make_refused: MakeRow, facts: BuildFacts, clip_files: ClipPaths
) -> None:
    page = Outline(page_of(make_row(), make_refused("b.mp4", "no_face"), facts, clip_files))
    assert page.open == []
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "iframe", "object", "embed", "link", "form", "base", "foreignobject"}
    assert not any(name.startswith("on") for _, name, _ in page.values)
    assert all(value.startswith("data:image/webp;base64,") for _, name, value in page.values if name == "src")
    assert all(value.startswith("#") for _, name, value in page.values if name == "href")
    policy = [value for tag, name, value in page.values if tag == "meta" and "default-src" in value]
    assert policy == [
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    ]
    assert not any("url(" in text or "@import" in text for text in page.text)


def test_links_inside_the_page_have_a_target(
    make_row: MakeRow, make_refused: MakeRow, facts: BuildFacts, crop_only: ClipPaths
) -> None:
    page = Outline(page_of(make_row(), make_refused("b.mp4", "no_face"), facts, crop_only))
    ids = [value for _, name, value in page.values if name == "id"]
    assert len(ids) == len(set(ids))
    assert {value[1:] for _, name, value in page.values if name == "href"} <= set(ids)


def test_same_inputs_same_bytes(
    make_row: MakeRow, make_refused: MakeRow, facts: BuildFacts, clip_files: ClipPaths
) -> None:
    made = [page_of(make_row(), make_refused("b.mp4", "no_face"), facts, clip_files) for _ in range(2)]
    assert made[0] == made[1]


def test_clips_drawn_at_once_are_the_same_page(
    make_row: MakeRow, facts: BuildFacts, clip_files: ClipPaths, crop_only: ClipPaths
) -> None:
    rows = [make_row(f"{k}.mp4") for k in range(4)]
    files = {row.clip_id: (clip_files, crop_only)[k % 2] for k, row in enumerate(rows)}
    one, three = (build_report(rows, facts, files.__getitem__, workers=workers) for workers in (1, 3))
    assert one == three


def test_a_clip_shows_every_kind_of_picture_and_its_sound_within_its_share_of_the_page(
    make_row: MakeRow, facts: BuildFacts, clip_files: ClipPaths
) -> None:
    page = build_report([make_row()], facts, lambda _: clip_files)
    shown = {value.split(" at ")[0] for _, name, value in Outline(page).values if name == "alt"}
    assert shown == {"source", "crop", "landmarks", "mesh", "depth", "mask"}
    assert b"Sound and mouth opening over 0.3 seconds" in page
    clip = page[page.index(b'<details class="clip') : page.index(b'<h2 id="origin"')]
    assert len(clip) <= 150_000


def test_a_studio_capture_has_no_time_axis(
    make_row: MakeRow, facts: BuildFacts, clip_files: ClipPaths
) -> None:
    row = make_row("S1/smile", kind="studio", fps=None, frames=3, has_audio=False)
    files = {role: clip_files[role] for role in ("crop", "depth", "mask")}
    page = build_report([row], facts, lambda _: files)
    assert b"Sound and mouth" not in page
    assert b"depth at frame 3" in page
    assert b"Talking-head clips" not in page


def test_clips_beyond_the_limit_are_listed_and_their_files_left_alone(
    make_row: MakeRow, facts: BuildFacts, crop_only: ClipPaths
) -> None:
    asked: list[str] = []

    def files(clip_id: str) -> ClipPaths:
        asked.append(clip_id)
        return crop_only

    rows = [make_row(f"{k}.mp4") for k in range(5)]
    page = build_report(rows, facts, files, max_clips=2).decode()
    assert len(asked) == 2
    left_out = page[page.index('class="left-out') :]
    assert "3 more published rows are not pictured" in left_out
    assert [row.clip_id in left_out for row in rows] == [row.clip_id not in asked for row in rows]


def test_refused_sources_stand_with_reason_stage_and_detail(make_refused: MakeRow, facts: BuildFacts) -> None:
    rows = [make_refused("b.mp4", "too_short", "11 frames, need 18"), make_refused("c.mp4", "crashed")]
    facts = facts.model_copy(update={"rejected_at": {rows[1].clip_id: "depth"}})
    text = " ".join(" ".join(Outline(build_report(rows, facts, lambda _: {})).text).split())
    assert "b.mp4 probe too_short 11 frames, need 18" in text
    assert "c.mp4 depth crashed" in text


def test_notices_stand_on_the_page(make_row: MakeRow, facts: BuildFacts, crop_only: ClipPaths) -> None:
    text = "".join(Outline(build_report([make_row()], facts, lambda _: crop_only)).text)
    assert "Untrained speech model: the speech features of 1 clip come from untrained small, random" in text
    assert "Synthetic source: embedded studio (studio captures) was rendered" in text


def test_a_version_without_any_row_is_still_a_page(facts: BuildFacts) -> None:
    bare = facts.model_copy(update={"change": None, "sources": (), "timings": ()})
    page = Outline(build_report([], bare, lambda _: {}))
    assert page.open == []
    assert any("first version" in text for text in page.text)
