from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import time
from pathlib import Path

import pyarrow.parquet
import pytest

from tasks.store.blobs import CorruptBlob, Store
from tasks.store.publish import BaseMoved, publish
from tasks.store.rows import merkle_root
from tasks.store.verify import verify_version
from tasks.store.versions import (
    CorruptVersion,
    VersionNotFound,
    dataset_folder,
    entry_path,
    find_number,
    latest_number,
    read_provenance,
    read_version,
    version_numbers,
)
from tests.small_build import CLIPS, CutSettings, PaintSettings, build


def publish_again(store: Store, **changes: object) -> object:
    """Publish the latest version's content once more, with changes."""
    version = read_version(store, "small")
    given = {
        "rows": version.rows,
        "facts": version.lock.facts,
        "actions": read_provenance(store, version.lock).actions,
        "pages": {"card.md": b"", "report.html": b""},
        "base": latest_number(store, "small"),
    }
    return publish(store, "small", **(given | changes))


def test_a_version_holds_what_was_published(store: Store) -> None:
    published = build(store)
    assert (published.number, published.changed) == (1, True)
    version = read_version(store, "small")
    assert version.root == published.root == version.lock.root == merkle_root(version.rows)
    assert version.folder == store.root / "datasets" / "small" / published.root[:12]
    assert sorted(path.name for path in version.folder.iterdir()) == [
        "card.md",
        "dataset.lock.json",
        "manifest.parquet",
        "report.html",
    ]
    assert [row.subject_id for row in version.rows] == ["anna", "bert", "carl"]
    assert version.lock.counts == {"rows": 3, "published": 3}
    assert set(version.lock.splits) == {"anna", "bert", "carl"}
    assert {recipe.stage for recipe in version.lock.recipes.values()} == {"cut", "paint"}
    assert pyarrow.parquet.read_table(version.folder / "manifest.parquet").num_rows == 3
    assert json.loads((version.folder / "dataset.lock.json").read_text())["root"] == published.root


def test_the_same_rows_publish_nothing(store: Store) -> None:
    first = build(store)
    again = publish_again(store)
    assert again == type(first)(number=1, root=first.root, changed=False)
    assert version_numbers(store, "small") == [1]


def test_going_back_to_older_rows_is_a_new_version_in_the_old_folder(store: Store) -> None:
    first = build(store)
    build(store, salt="other")
    third = build(store)
    assert (third.number, third.root, third.changed) == (3, first.root, True)
    assert verify_version(store, "small").findings == ()
    assert verify_version(store, "small", number=1).findings == ()


def test_published_versions_never_change(store: Store) -> None:
    build(store)
    folder = read_version(store, "small").folder
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    build(store, settings=(CutSettings(scale=2.0), PaintSettings()))
    build(store)
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()} == before


def test_a_moved_base_is_detected_unless_the_result_is_the_same(store: Store) -> None:
    build(store)
    rows = read_version(store, "small").rows
    build(store, salt="other")
    with pytest.raises(BaseMoved, match=r"version 2 was published .* began at version 1"):
        publish_again(store, rows=rows, base=1)
    assert version_numbers(store, "small") == [1, 2]
    assert publish_again(store, base=1).changed is False  # type: ignore[attr-defined]


def test_a_base_that_never_was_leaves_no_gap(store: Store) -> None:
    build(store)
    rows = read_version(store, "small").rows[:1]
    with pytest.raises(BaseMoved):
        publish_again(store, rows=rows, base=5)
    assert version_numbers(store, "small") == [1]


def test_a_missing_blob_is_not_published(store: Store) -> None:
    build(store)
    version = read_version(store, "small")
    store.blob_path(version.rows[1].blobs["depth"]).unlink()
    with pytest.raises(CorruptBlob, match=f"depth of clip {'b' * 16}"):
        publish_again(store, rows=version.rows[:2])
    assert version_numbers(store, "small") == [1]


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "a" * 65, "x\n", "con tab\t"])
def test_a_hostile_dataset_name_is_refused(store: Store, name: str) -> None:
    with pytest.raises(ValueError, match="use up to 64"):
        dataset_folder(store, name)


def test_versions_are_found_by_number_or_root(store: Store) -> None:
    with pytest.raises(VersionNotFound, match="no version at all"):
        find_number(store, "small")
    roots = [build(store).root, build(store, salt="other").root]
    assert find_number(store, "small") == 2
    assert find_number(store, "small", version="1") == 1
    assert [find_number(store, "small", version=root[:8]) for root in roots] == [1, 2]
    for unknown in ("3", "ab", "zzzzzz", ""):
        with pytest.raises(VersionNotFound):
            find_number(store, "small", version=unknown)


@pytest.mark.parametrize("file_name", ["manifest.parquet", "dataset.lock.json", "card.md", "report.html"])
def test_a_damaged_file_is_found_and_building_again_heals_it(store: Store, file_name: str) -> None:
    build(store)
    path = read_version(store, "small").folder / file_name
    whole = path.read_bytes()
    path.write_bytes(whole[:-3] + bytes([whole[-3] ^ 1]) + whole[-2:])
    (finding,) = verify_version(store, "small").findings
    assert (finding.kind, file_name in finding.detail) == ("version", True)
    if file_name in ("manifest.parquet", "dataset.lock.json"):
        with pytest.raises(CorruptVersion, match=file_name):
            read_version(store, "small")
    again = build(store)
    assert (again.number, again.changed) == (1, False)
    assert path.read_bytes() == whole
    assert verify_version(store, "small").findings == ()


def test_a_damaged_entry_is_found_and_does_not_stop_the_next_version(store: Store) -> None:
    build(store)
    version = read_version(store, "small")
    path = entry_path(store, "small", number=1)
    path.write_bytes(path.read_bytes().replace(b'"number":1', b'"number":2'))
    assert [finding.kind for finding in verify_version(store, "small").findings] == ["version"]
    provenance = read_provenance(store, version.lock)
    again = publish(
        store,
        "small",
        rows=version.rows,
        facts=version.lock.facts,
        actions=provenance.actions,
        pages={},
        base=1,
    )
    assert (again.number, again.root, again.changed) == (2, version.root, True)
    assert verify_version(store, "small").findings == ()


def _publish_at_the_barrier(root: Path, salt: str, barrier: object, results: object) -> None:
    store = Store(root)
    barrier.wait()  # type: ignore[attr-defined]
    try:
        results.put((salt, build(store, salt=salt).changed))  # type: ignore[attr-defined]
    except BaseMoved:
        results.put((salt, "moved"))  # type: ignore[attr-defined]


def race(store: Store, salts: list[str]) -> list[tuple[str, object]]:
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(len(salts)), context.Queue()
    racers = [
        context.Process(target=_publish_at_the_barrier, args=(store.root, salt, barrier, results))
        for salt in salts
    ]
    for racer in racers:
        racer.start()
    told = [results.get(timeout=60) for _ in racers]
    for racer in racers:
        racer.join()
    return sorted(told, key=str)


def test_of_two_publishers_one_wins_and_the_other_says_so(store: Store) -> None:
    build(store)
    for turn in range(4):
        before = latest_number(store, "small")
        told = race(store, [f"{turn}", f"{turn} too"])
        new = version_numbers(store, "small")[before:]
        # one after the other is fine as well: then both are published
        assert len(new) == sum(changed is True for _, changed in told) >= 1
        assert all(changed in (True, "moved") for _, changed in told)
        assert verify_version(store, "small").findings == ()


def test_two_builds_of_the_same_publish_once(store: Store) -> None:
    for turn in range(4):
        told = race(store, [f"{turn}", f"{turn}"])
        assert sorted(changed for _, changed in told) == [False, True]
    assert version_numbers(store, "small") == [1, 2, 3, 4]
    assert verify_version(store, "small").findings == ()


def test_the_root_does_not_depend_on_place_clock_umask_or_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = build(Store.create(tmp_path / "one"))
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    monkeypatch.chdir(tmp_path)
    old_umask = os.umask(0o077)
    try:
        backwards = dict(reversed(CLIPS.items()))
        second = build(Store.create(Path("another place") / "ü"), "small", clips=backwards)
    finally:
        os.umask(old_umask)
        monkeypatch.undo()
        time.tzset()
    assert second.root == first.root
    bytes_of = [
        hashlib.sha256(path.read_bytes()).hexdigest()
        for name in ("one", "another place/ü")
        for path in (tmp_path / name / "datasets").rglob("manifest.parquet")
    ]
    assert bytes_of[0] == bytes_of[1]
