"""Latents and pictures of a version's rows through the engine: once each, and again only for another VAE."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from model.networks.autoencoder import AutoencoderSize, small_autoencoder
from tasks.dataset.encode_version import EncodingSettings, VersionEncoder
from tasks.media.published_clip import load_pictures
from tasks.progress import StageProgress
from tasks.stages.cache_latents import LatentSettings
from tasks.stages.cache_pictures import PictureSettings
from tasks.store.blobs import Store
from tests.tasks.small_clips import stored_row


def save_vae(folder: Path, seed: int) -> Path:
    torch.manual_seed(seed)
    small_autoencoder(AutoencoderSize(widths=(8, 8), side_px=16)).save_pretrained(folder)
    return folder


def encoder_of(store: Store) -> VersionEncoder:
    return VersionEncoder(store=store, settings=EncodingSettings(workers=1), progress=StageProgress())


def actions(store: Store) -> int:
    return len(list((store.root / "actions").iterdir()))


def test_encoded_once_for_each_vae(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "store")
    rows = [stored_row(store, tmp_path, name, 2) for name in ("one", "other")]
    rows.append(rows[0].model_copy(update={"clip_id": "bad", "status": "quarantined", "blobs": {}}))
    settings, encoder = LatentSettings(side_px=16), encoder_of(store)
    vae = save_vae(tmp_path / "vae", 0)
    first = encoder.latents(rows, vae, settings)
    assert sorted(first) == ["one", "other"]
    assert actions(store) == 2
    assert encoder_of(store).latents(rows, vae, settings) == first
    assert actions(store) == 2
    second = encoder_of(store).latents(rows, save_vae(tmp_path / "vae2", 1), settings)
    assert actions(store) == 4
    assert second["one"] != first["one"]
    pictures = encoder_of(store).pictures(rows, PictureSettings(side_px=16))
    assert len(load_pictures(store.blob_path(pictures["other"]))) == 2


def test_latents_from_cached_pictures_are_those_from_the_videos(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "store")
    rows = [stored_row(store, tmp_path, "one", 3)]
    settings, vae = LatentSettings(side_px=16, frames_at_once=2), save_vae(tmp_path / "vae", 0)
    pictures = encoder_of(store).pictures(rows, PictureSettings(side_px=16))
    found = encoder_of(store).latents(rows, vae, settings)["one"]
    quick = encoder_of(store).latents(rows, vae, settings, pictures=pictures)["one"]
    slow, fast = (load_file(store.blob_path(digest)) for digest in (found, quick))
    for name in ("rgb", "depth", "mask"):
        # cached pictures are rounded to 8 bits and half precision
        torch.testing.assert_close(fast[name].float(), slow[name].float(), atol=0.02, rtol=0.02)


def test_a_clip_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "store")
    row = stored_row(store, tmp_path, "one", 2)
    (tmp_path / "junk").write_bytes(b"no video")
    junk = store.put_file(tmp_path / "junk").sha256
    broken = row.model_copy(update={"blobs": {**row.blobs, "depth": junk}})
    with pytest.raises(RuntimeError, match="1 of 1 clips failed, first one"):
        encoder_of(store).pictures([broken], PictureSettings(side_px=16))
