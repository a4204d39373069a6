from __future__ import annotations

from pathlib import Path

import pytest

from tasks.store.blobs import Store
from tasks.store.canonical import seal, unseal
from tasks.store.verify import Rerun, draw_sample, verify_version
from tasks.store.versions import VersionNotFound, entry_path, read_provenance, read_version
from tests.small_build import CutSettings, PaintSettings, build


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)


def rerun_with(scratch: Store, settings: tuple[CutSettings, PaintSettings]) -> Rerun:
    build(scratch, settings=settings)
    version = read_version(scratch, "small")
    return Rerun(
        store=scratch,
        actions=read_provenance(scratch, version.lock).actions,
        recipes=version.lock.recipes,
    )


def test_a_sound_version_has_no_findings(store: Store) -> None:
    root = build(store).root
    told: list[int] = []
    found = verify_version(store, "small", advance=told.append)
    assert found.findings == ()
    assert (found.root, found.number, found.blobs, found.actions) == (root, 1, 6, 6)
    assert len(told) == 6
    assert min(told) > 100


def test_an_unknown_version_is_an_error(store: Store) -> None:
    with pytest.raises(VersionNotFound):
        verify_version(store, "small")


@pytest.mark.parametrize("role", ["crop", "depth"])
def test_a_flipped_bit_in_a_blob_is_found_and_a_rebuild_repairs_it(store: Store, role: str) -> None:
    first = build(store)
    digest = read_version(store, "small").rows[1].blobs[role]
    flip(store.blob_path(digest))
    (finding,) = verify_version(store, "small").findings
    assert finding.kind == "blob"
    assert digest in finding.detail
    work: list[str] = []
    again = build(store, work=work)
    assert (again.root, again.changed) == (first.root, False)
    assert [task.split()[0] for task in work] == [{"crop": "cut", "depth": "paint"}[role]]
    assert verify_version(store, "small").findings == ()


def test_every_kind_of_file_is_covered(store: Store) -> None:
    """A flipped bit in any file of the store that a version needs is found."""
    build(store)
    needed = [
        path
        for folder in ("cas", "actions", "datasets")
        for path in sorted((store.root / folder).rglob("*"))
        if path.is_file()
    ]
    assert len(needed) == 6 + 1 + 6 + 5
    for path in needed:
        whole = path.read_bytes()
        flip(path)
        assert verify_version(store, "small").findings, path
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(whole)
        assert verify_version(store, "small").findings == (), path


def test_a_lost_action_record_names_its_clip_and_stage(store: Store) -> None:
    build(store)
    version = read_version(store, "small")
    (_, key), _ = read_provenance(store, version.lock).actions["b" * 16]
    (store.root / "actions" / f"{key}.json").unlink()
    (finding,) = verify_version(store, "small").findings
    assert (finding.kind, finding.clip_id, finding.stage) == ("action", "b" * 16, "cut")


def test_rows_that_do_not_hash_to_the_root_are_found(store: Store) -> None:
    """A manifest of another version, with the list of versions forged to fit."""
    build(store)
    build(store, salt="other")
    one, two = (read_version(store, "small", number=number) for number in (1, 2))
    entries = [entry_path(store, "small", number=number) for number in (1, 2)]
    (two.folder / "manifest.parquet").write_bytes((one.folder / "manifest.parquet").read_bytes())
    first, second = (unseal(entry.read_bytes()) for entry in entries)
    assert first is not None
    assert second is not None
    second["files"]["manifest.parquet"] = first["files"]["manifest.parquet"]
    entries[1].write_bytes(seal(second))
    assert [finding.kind for finding in verify_version(store, "small").findings] == ["rows"]


def test_a_gap_in_the_list_of_versions_is_found(store: Store) -> None:
    for salt in ("1", "2", "3"):
        build(store, salt=salt)
    entry_path(store, "small", number=2).unlink()
    (finding,) = verify_version(store, "small").findings
    assert "[2]" in finding.detail


def test_recomputing_the_same_finds_nothing(store: Store, tmp_path: Path) -> None:
    build(store)
    scratch = Store.create(tmp_path / "scratch")
    settings = (CutSettings(), PaintSettings())
    found = verify_version(store, "small", recompute=lambda _: rerun_with(scratch, settings))
    assert (found.findings, found.recomputed) == ((), 3)


def test_recomputing_names_the_first_stage_that_differs(store: Store, tmp_path: Path) -> None:
    build(store)
    asked: list[str] = []

    def recompute(clip_ids: object) -> Rerun:
        asked.extend(clip_ids)  # type: ignore[call-overload]
        return rerun_with(
            Store.create(tmp_path / "scratch"), (CutSettings(scale=1.7), PaintSettings(color="blue"))
        )

    found = verify_version(store, "small", recompute=recompute, sample=2)
    assert len(asked) == found.recomputed == 2
    assert [finding.clip_id for finding in found.findings] == asked
    assert {finding.stage for finding in found.findings} == {"cut"}
    assert "crop: byte" in found.findings[0].detail
    assert "setting scale" in found.findings[0].detail


def test_a_clip_that_is_not_recomputed_is_a_finding(store: Store, tmp_path: Path) -> None:
    build(store)
    rerun = Rerun(store=Store.create(tmp_path / "scratch"), actions={}, recipes={})
    found = verify_version(store, "small", recompute=lambda _: rerun, sample=1)
    assert [finding.detail for finding in found.findings] == ["was not reached again"]


def test_the_sample_is_the_same_every_time_and_grows(store: Store) -> None:
    build(store)
    provenance = read_provenance(store, read_version(store, "small").lock)
    whole = draw_sample(provenance, None)
    assert sorted(whole) == ["a" * 16, "b" * 16, "c" * 16]
    assert draw_sample(provenance, 2) == whole[:2]
