from __future__ import annotations

from dataclasses import replace

import pytest

from tasks.store.blobs import Store
from tasks.store.diff import VersionDiff, count_causes, diff_versions, row_changes
from tasks.store.versions import read_version
from tests import small_build
from tests.small_build import CLIPS, CutSettings, PaintSettings, build
from tests.tasks.store.test_rows import make_row


def diff(store: Store) -> VersionDiff:
    return diff_versions(
        store, old=read_version(store, "small", number=1), new=read_version(store, "small", number=2)
    )


def causes(found: VersionDiff) -> set[tuple[str, str, str, object, object]]:
    return {
        (cause.kind, cause.stage, cause.name, cause.old, cause.new)
        for clip in found.changed
        for cause in clip.causes
    }


def test_added_and_removed_clips(store: Store) -> None:
    build(store)
    build(store, clips={"a" * 16: "anna", "d" * 16: "dora"})
    found = diff(store)
    assert (found.added, found.removed, found.changed) == (("d" * 16,), ("b" * 16, "c" * 16), ())


def test_a_changed_setting_is_named_with_its_values_at_its_own_stage_only(store: Store) -> None:
    build(store)
    build(store, settings=(CutSettings(scale=2.0), PaintSettings()))
    found = diff(store)
    assert len(found.changed) == 3
    assert causes(found) == {("setting", "cut", "scale", 1.6, 2.0)}
    assert {change.field for change in found.changed[0].changes} == {"blobs.crop", "blobs.depth"}
    assert count_causes(found) == {"setting cut: scale: 1.6 -> 2.0": 3}


def test_two_changes_are_both_named(store: Store) -> None:
    build(store)
    build(store, settings=(CutSettings(scale=2.0), PaintSettings(color="blue")))
    assert causes(diff(store)) == {
        ("setting", "cut", "scale", 1.6, 2.0),
        ("setting", "paint", "color", "red", "blue"),
    }


def test_a_changed_source_file_is_an_input(store: Store) -> None:
    build(store)
    build(store, salt="other")
    found = diff(store)
    assert [clip.clip_id for clip in found.changed] == ["a" * 16]
    ((kind, stage, name, old, new),) = causes(found)
    assert (kind, stage, name) == ("input", "cut", "source")
    assert old != new


def test_a_moved_subject_is_an_input_of_the_catalogue(store: Store) -> None:
    build(store)
    build(store, clips=CLIPS | {"b" * 16: "berta"})
    told = causes(diff(store))
    assert ("input", "catalogue", "subject_id", "bert", "berta") in told
    assert {cause[1] for cause in told} == {"catalogue"}


@pytest.mark.parametrize(
    ("changes", "kind", "name"),
    [
        ({"version": 2}, "code", "stage version"),
        ({"modules": ("tasks.reasons",)}, "code", "tasks.stage"),
        ({"tools": ("numpy", "scipy")}, "tool", "scipy"),
    ],
)
def test_code_and_tools(
    store: Store, monkeypatch: pytest.MonkeyPatch, changes: dict[str, object], kind: str, name: str
) -> None:
    build(store)
    # the small build's output follows its settings, so that something comes out differently
    monkeypatch.setattr(small_build, "CUT", replace(small_build.CUT, **changes))
    build(store, settings=(CutSettings(scale=2.0), PaintSettings()))
    assert (kind, "cut", name) in {cause[:3] for cause in causes(diff(store))}


def test_a_lost_ledger_is_said(store: Store) -> None:
    build(store)
    build(store, settings=(CutSettings(), PaintSettings(color="blue")))
    for record in (store.root / "actions").iterdir():
        record.unlink()
    assert {cause[0] for cause in causes(diff(store))} == {"unknown"}


def test_quality_figures_are_compared_one_by_one() -> None:
    old = make_row(landmark_nme=0.0125, qc='{"jitter_mm":0.3,"roll_deg":2}')
    new = make_row(landmark_nme=0.0131, qc='{"jitter_mm":0.4,"roll_deg":2}')
    assert [(change.field, change.old, change.new) for change in row_changes(old, new)] == [
        ("landmark_nme", 0.0125, 0.0131),
        ("qc.jitter_mm", 0.3, 0.4),
    ]
