from __future__ import annotations

import os
from pathlib import Path

import pytest

from tasks.store.blobs import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "store")


@pytest.fixture(autouse=True)
def _no_real_syncing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test cuts the power; syncing hundreds of small stores would only cost time."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
