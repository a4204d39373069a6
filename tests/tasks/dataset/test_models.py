"""Model files of a build: written into the store once, and again only where the store's copy is damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from rendering.builtin.head import builtin_head
from tasks.dataset.models import ModelFiles, store_models
from tasks.engine.run_stage import RunSettings
from tasks.face_models.files import save_face_model
from tasks.store.blobs import Store


@pytest.fixture(scope="module")
def face_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("face") / "face.npz"
    save_face_model(path, builtin_head().face_model)
    return path


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "store")


def stored(store: Store, face_model: Path) -> ModelFiles:
    return store_models(
        store, face_model=face_model, face_landmarker=None, speech_model=None, run=RunSettings()
    )


def test_a_file_that_the_store_holds_is_not_written_again(store: Store, face_model: Path) -> None:
    first = stored(store, face_model)
    blob = store.blob_path(first.blobs["face_model"])
    written = blob.stat().st_ino
    assert stored(store, face_model) == first
    assert blob.stat().st_ino == written
    assert blob.read_bytes() == face_model.read_bytes()


def test_a_damaged_copy_is_replaced(store: Store, face_model: Path) -> None:
    blob = store.blob_path(stored(store, face_model).blobs["face_model"])
    blob.chmod(0o644)
    blob.write_bytes(bytes(blob.stat().st_size))
    stored(store, face_model)
    assert blob.read_bytes() == face_model.read_bytes()
