from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import pytest

from tasks.store import blobs
from tasks.store.blobs import CorruptBlob, Store
from tasks.store.durable import StoreError
from tasks.store.locks import clear_temporary


def test_a_file_moves_in_under_its_digest(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "out.bin"
    source.write_bytes(b"content")
    blob = store.put_file(source)
    digest = hashlib.sha256(b"content").hexdigest()
    assert (blob.sha256, blob.bytes) == (digest, 7)
    assert store.checked_blob(digest) == store.root / "cas" / digest[:2] / digest
    assert store.blob_path(digest).read_bytes() == b"content"
    assert not source.exists()


def test_a_copied_file_stays(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "out.bin"
    source.write_bytes(b"content")
    assert store.put_file(source, move=False) == store.put_bytes(b"content")
    assert source.read_bytes() == b"content"


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a second file system")
def test_a_file_moves_in_from_another_disk(store: Store) -> None:
    source = Path("/dev/shm") / f"store-test-{os.getpid()}"
    source.write_bytes(b"elsewhere")
    blob = store.put_file(source)
    assert store.checked_blob(blob.sha256).read_bytes() == b"elsewhere"
    assert not source.exists()


def test_storing_twice_is_storing_once_and_leaves_nothing_behind(store: Store) -> None:
    assert store.put_bytes(b"x") == store.put_bytes(b"x")
    assert len(list((store.root / "cas").glob("??/*"))) == 1
    assert list((store.root / "tmp").iterdir()) == []


def test_a_flipped_bit_is_named_moved_aside_and_healed_by_storing_again(store: Store) -> None:
    blob = store.put_bytes(b"depth" * 1000)
    path = store.blob_path(blob.sha256)
    path.chmod(0o644)
    damaged = bytearray(path.read_bytes())
    damaged[2500] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(CorruptBlob, match=blob.sha256):
        store.checked_blob(blob.sha256)
    assert not path.exists()
    assert (store.root / "quarantine" / blob.sha256).read_bytes() == damaged
    with pytest.raises(CorruptBlob, match="missing"):
        store.checked_blob(blob.sha256)
    store.put_bytes(b"depth" * 1000)
    assert store.checked_blob(blob.sha256).read_bytes() == b"depth" * 1000


def test_storing_replaces_a_damaged_blob_of_the_same_size(store: Store) -> None:
    blob = store.put_bytes(b"good")
    store.blob_path(blob.sha256).chmod(0o644)
    store.blob_path(blob.sha256).write_bytes(b"evil")
    store.put_bytes(b"good")
    assert store.checked_blob(blob.sha256).read_bytes() == b"good"


def test_blobs_are_read_only(store: Store) -> None:
    assert store.blob_path(store.put_bytes(b"x").sha256).stat().st_mode & 0o222 == 0


@pytest.mark.parametrize("name", ["../../../etc/passwd", "", "A" * 64, "g" * 64, "a" * 63, "a" * 64 + "\n"])
def test_a_name_that_is_no_digest_reaches_no_file(store: Store, name: str) -> None:
    with pytest.raises(ValueError, match="not a sha256"):
        store.blob_path(name)


def test_a_folder_that_is_no_store_is_refused_and_left_alone(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="not a store"):
        Store(tmp_path / "typo")
    assert list(tmp_path.iterdir()) == []


def test_a_store_of_another_format_is_refused(store: Store) -> None:
    (store.root / "store.json").write_text('{"format":2}')
    with pytest.raises(StoreError, match="format 1"):
        Store.create(store.root)


def test_making_a_store_again_keeps_it(store: Store) -> None:
    blob = store.put_bytes(b"x")
    assert Store.create(store.root).checked_blob(blob.sha256)


def test_many_threads_store_the_same_blob(store: Store) -> None:
    barrier = threading.Barrier(8)
    found = []

    def put() -> None:
        barrier.wait()
        found.append(store.put_bytes(b"same" * 5000))

    threads = [threading.Thread(target=put) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(found) == 8
    store.checked_blob(found[0].sha256)
    assert list((store.root / "tmp").iterdir()) == []


def test_two_builders_may_make_the_store_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = blobs.write_temporary

    def outrun(folder: Path, data: bytes) -> Path:
        path = write(folder, data)
        monkeypatch.setattr(blobs, "write_temporary", write)
        clear_temporary(Store.create(tmp_path))  # as the faster one's build does
        return path

    monkeypatch.setattr(blobs, "write_temporary", outrun)
    assert Store.create(tmp_path).put_bytes(b"stored").bytes == 6
