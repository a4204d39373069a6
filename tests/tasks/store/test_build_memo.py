from __future__ import annotations

import pytest

from tasks.store.blobs import Store
from tasks.store.build_memo import build_key, find_build, remember_build
from tasks.store.versions import entry_path, read_version
from tests.small_build import CutSettings, PaintSettings, build


def test_a_rebuild_with_nothing_changed_does_no_work(store: Store) -> None:
    work: list[str] = []
    first = build(store, work=work)
    assert len(work) == 6
    again = build(store, work=work)
    assert (again.number, again.root, again.changed) == (1, first.root, False)
    assert len(work) == 6


def test_only_what_changed_is_done_again(store: Store) -> None:
    build(store)
    work: list[str] = []
    build(store, settings=(CutSettings(), PaintSettings(color="blue")), work=work)
    assert sorted(work) == [f"paint {letter * 16}" for letter in "abc"]
    work.clear()
    build(store, salt="other", work=work)
    assert sorted(work) == [f"cut {'a' * 16}", f"paint {'a' * 16}"]


@pytest.mark.parametrize("damage", ["missing", "short"])
def test_a_lost_blob_is_made_again(store: Store, damage: str) -> None:
    first = build(store)
    path = store.blob_path(read_version(store, "small").rows[0].blobs["depth"])
    path.chmod(0o644)
    path.unlink() if damage == "missing" else path.write_bytes(b"short")
    work: list[str] = []
    again = build(store, work=work)
    assert work == [f"paint {'a' * 16}"]
    assert (again.root, again.changed) == (first.root, False)
    store.checked_blob(path.name)


def test_an_older_build_is_not_taken_for_the_latest(store: Store) -> None:
    first = build(store)
    build(store, salt="other")
    work: list[str] = []
    third = build(store, work=work)
    assert (third.number, third.root, third.changed) == (3, first.root, True)
    assert work == []


def test_a_memo_that_is_damaged_forged_or_of_another_build_is_not_believed(store: Store) -> None:
    root = build(store).root
    one, other = build_key("small", facts=1), build_key("small", facts=2)
    assert find_build(store, "small", one) is None
    remember_build(store, one, root=root)
    assert find_build(store, "small", one) is not None
    path = store.root / "builds" / f"{one}.json"
    (store.root / "builds" / f"{other}.json").write_bytes(path.read_bytes())
    assert find_build(store, "small", other) is None
    path.write_bytes(path.read_bytes()[:-9])
    assert find_build(store, "small", one) is None
    remember_build(store, one, root="0" * 64)
    assert find_build(store, "small", one) is None
    remember_build(store, one, root=root)
    entry_path(store, "small", number=1).write_bytes(b"")
    assert find_build(store, "small", one) is None


def test_the_name_is_part_of_the_key() -> None:
    assert build_key("a", facts=1) != build_key("b", facts=1)
