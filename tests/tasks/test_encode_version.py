"""Latents and pictures of a version's rows through the engine: once each, and again only for another VAE."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from model.autoencoder import AutoencoderSize, small_autoencoder
from tasks.cache_latents import LatentSettings
from tasks.cache_pictures import PictureSettings
from tasks.encode_version import version_latents, version_pictures
from tasks.engine.run_stage import RunSettings
from tasks.read_version import read_pictures
from tasks.store.blobs import Store
from tests.tasks.small_clips import stored_row


def save_vae(folder: Path, seed: int) -> Path:
    torch.manual_seed(seed)
    small_autoencoder(AutoencoderSize(widths=(8, 8), side_px=16)).save_pretrained(folder)
    return folder


def actions(store: Store) -> int:
    return len(list((store.root / "actions").iterdir()))


def test_encoded_once_for_each_vae(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "store")
    rows = [stored_row(store, tmp_path, name, 2) for name in ("one", "other")]
    rows.append(rows[0].model_copy(update={"clip_id": "bad", "status": "quarantined", "blobs": {}}))
    settings, run = LatentSettings(side_px=16), RunSettings()
    vae = save_vae(tmp_path / "vae", 0)
    first = version_latents(rows, vae, store=store, settings=settings, run=run)
    assert sorted(first) == ["one", "other"]
    assert actions(store) == 2
    assert version_latents(rows, vae, store=store, settings=settings, run=run) == first
    assert actions(store) == 2
    second = version_latents(rows, save_vae(tmp_path / "vae2", 1), store=store, settings=settings, run=run)
    assert actions(store) == 4
    assert second["one"] != first["one"]
    pictures = version_pictures(rows, store=store, settings=PictureSettings(side_px=16), run=run)
    assert len(read_pictures(store, pictures["other"])) == 2


def test_a_clip_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "store")
    row = stored_row(store, tmp_path, "one", 2)
    (tmp_path / "junk").write_bytes(b"no video")
    junk = store.put_file(tmp_path / "junk").sha256
    broken = row.model_copy(update={"blobs": {**row.blobs, "depth": junk}})
    with pytest.raises(RuntimeError, match="1 of 1 clips failed, first one"):
        version_pictures([broken], store=store, settings=PictureSettings(side_px=16), run=RunSettings())
