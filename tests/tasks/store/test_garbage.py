from __future__ import annotations

import shutil

import pytest

from tasks.store.actions import find_action
from tasks.store.blobs import Store
from tasks.store.garbage import collect
from tasks.store.locks import StoreBusy, build_lock
from tasks.store.publish import publish
from tasks.store.verify import verify_version
from tasks.store.versions import CorruptVersion, dataset_folder, read_provenance, read_version
from tests.small_build import CutSettings, PaintSettings, build


def files(store: Store) -> set[str]:
    return {str(path.relative_to(store.root)) for path in store.root.rglob("*") if path.is_file()}


def test_what_versions_reach_stays_and_a_rebuild_still_has_nothing_to_do(store: Store) -> None:
    build(store)
    build(store, salt="other")
    build(store, "second", settings=(CutSettings(scale=3.0), PaintSettings()))
    before = files(store)
    collected = collect(store)
    assert (collected.blobs, collected.actions, collected.builds, collected.folders) == (0, 0, 0, 0)
    assert files(store) == before
    work: list[str] = []
    build(store, work=work)
    assert work == []


def test_what_no_version_reaches_goes(store: Store) -> None:
    build(store)
    kept = files(store)
    build(store, "doomed", salt="doomed")
    shutil.rmtree(dataset_folder(store, "doomed"))
    store.put_bytes(b"loose")
    (store.root / "tmp" / "left").write_bytes(b"half")
    asked = collect(store, dry_run=True)
    assert files(store) > kept
    collected = collect(store)
    assert collected == asked.model_copy(update={"dry_run": False})
    # the changed clip's crop and depth, the provenance and the loose one; two actions; one memo
    assert (collected.blobs, collected.actions, collected.builds) == (4, 2, 1)
    assert collected.blob_bytes > 100
    assert files(store) == kept
    assert verify_version(store, "small").findings == ()


def test_an_unlisted_version_folder_goes(store: Store) -> None:
    build(store)
    kept = files(store)
    shutil.copytree(read_version(store, "small").folder, dataset_folder(store, "small") / ("0" * 12))
    assert collect(store).folders == 1
    assert files(store) == kept


def test_intermediate_files_of_a_version_stay(store: Store) -> None:
    """A version whose rows name the depth alone reaches, through its actions, the crop as well."""
    build(store)
    version = read_version(store, "small")
    actions = read_provenance(store, version.lock).actions
    rows = [row.model_copy(update={"blobs": {"depth": row.blobs["depth"]}}) for row in version.rows]
    publish(store, "slim", rows=rows, facts=version.lock.facts, actions=actions, pages={}, base=0)
    shutil.rmtree(dataset_folder(store, "small"))
    collect(store)
    assert all(find_action(store, key) for steps in actions.values() for _, key in steps)
    assert verify_version(store, "slim").findings == ()
    store.blob_path(version.rows[0].blobs["crop"]).unlink()
    assert [finding.kind for finding in verify_version(store, "slim").findings] == ["blob"]


def test_it_waits_for_no_build_and_disturbs_none(store: Store) -> None:
    build(store)
    store.put_bytes(b"of the running build")
    before = files(store)
    with build_lock(store), pytest.raises(StoreBusy):
        collect(store)
    assert files(store) == before


def test_a_damaged_version_stops_it_before_anything_is_removed(store: Store) -> None:
    build(store)
    store.put_bytes(b"loose")
    (read_version(store, "small").folder / "manifest.parquet").write_bytes(b"")
    before = files(store)
    with pytest.raises(CorruptVersion):
        collect(store)
    assert files(store) == before
