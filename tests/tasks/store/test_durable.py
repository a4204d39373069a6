from __future__ import annotations

import errno
import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.store.blobs import Store
from tasks.store.durable import StoreDiskError, place_new, write_temporary
from tasks.store.verify import verify_version
from tests.small_build import build


def test_every_file_is_synced_before_its_name_and_its_folder_after(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a power cut may undo: a name that comes before its content, or a name that was never synced."""
    told: list[tuple[str, Any]] = []
    fsync, replace, rename, link = os.fsync, os.replace, os.rename, os.link

    def name_of(descriptor: int) -> Path:
        return Path(f"/proc/self/fd/{descriptor}").readlink()

    def watch(kind: str, function: Any) -> Any:
        def called(source: Any, target: Any, **options: Any) -> None:
            if Path(target).is_relative_to(store.root) and (store.root / "tmp") not in Path(target).parents:
                parts = [Path(source), *Path(source).rglob("*")]
                told.append((kind, (parts, Path(target))))
            function(source, target, **options)

        return called

    monkeypatch.setattr(os, "fsync", lambda fd: (told.append(("fsync", name_of(fd))), fsync(fd)))
    monkeypatch.setattr(os, "replace", watch("place", replace))
    monkeypatch.setattr(os, "rename", watch("place", rename))
    monkeypatch.setattr(os, "link", watch("place", link))
    build(store)
    placed = [(index, paths) for index, (kind, paths) in enumerate(told) if kind == "place"]
    assert len(placed) > 10
    for index, (parts, target) in placed:
        before = [path for kind, path in told[:index] if kind == "fsync"]
        after = [path for kind, path in told[index:] if kind == "fsync"]
        assert set(parts) <= set(before), target
        assert target.parent in after, target


def test_the_name_of_a_blobs_folder_is_synced_even_after_its_maker_was_killed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(Path(f"/proc/self/fd/{fd}").readlink()))
    digest = hashlib.sha256(b"x").hexdigest()
    store.blob_path(digest).parent.mkdir()
    store.put_bytes(b"x")
    assert synced.index(store.root / "cas") < synced.index(store.blob_path(digest).parent)
    synced.clear()
    store.put_bytes(b"x")
    assert store.root / "cas" not in synced


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_a_full_or_failing_disk_is_named_and_the_store_stays_usable(
    store: Store, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    first = build(store)
    fsync = os.fsync
    calls = 0

    def fail_later(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls > 9:
            raise OSError(code, os.strerror(code))
        fsync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail_later)
        with pytest.raises(StoreDiskError, match=f"{store.root}.*bytes"):
            build(store, salt="other")
    assert list((store.root / "tmp").iterdir()) == []
    assert verify_version(store, "small").findings == ()
    second = build(store, salt="other")
    assert (second.number, second.changed) == (first.number + 1, True)
    assert verify_version(store, "small").findings == ()


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_disk_that_is_really_full_and_then_grows(tiny_disk: Path) -> None:
    store = Store.create(tiny_disk / "store")
    kept = store.put_bytes(b"first")
    with pytest.raises(StoreDiskError, match="1000000 bytes"):
        store.put_bytes(bytes(1_000_000))
    store.checked_blob(kept.sha256)
    subprocess.run(["mount", "-o", "remount,size=4M", str(tiny_disk)], check=True)
    assert store.put_bytes(bytes(1_000_000)).bytes == 1_000_000
    assert list((store.root / "tmp").iterdir()) == []


def test_of_two_that_want_a_name_one_gets_it(tmp_path: Path) -> None:
    place_new(write_temporary(tmp_path, b"one"), tmp_path / "name")
    with pytest.raises(FileExistsError):
        place_new(write_temporary(tmp_path, b"two"), tmp_path / "name")
    assert (tmp_path / "name").read_bytes() == b"one"
    assert [path.name for path in tmp_path.iterdir()] == ["name"]
