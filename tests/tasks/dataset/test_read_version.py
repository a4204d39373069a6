"""A version opened for training: order, windows, speech, and what is missing."""

from __future__ import annotations

import pickle
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from model.samples.sample_order import Draw
from model.samples.training_set import PairSet, WindowLength, WindowSet
from tasks.dataset.read_version import TrainingClips, split_rows
from tasks.media.published_clip import load_pictures
from tasks.store.blobs import CorruptBlob, Store
from tests.tasks.small_clips import stored_row


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "store")


def opened(store: Store, folder: Path, split: str = "train") -> tuple[TrainingClips, dict[str, str]]:
    rows = [
        stored_row(store, folder, "talk", 16, speech=True),
        stored_row(store, folder, "still", 1, kind="studio"),
        stored_row(store, folder, "held", 2, split="test"),
        stored_row(store, folder, "bad", 2, status="quarantined", reason="no_face", detail="none"),
    ]
    latents = {row.clip_id: stored_latents(store, folder, row.frames) for row in rows}
    version = SimpleNamespace(root="abc", number=1, name="small", rows=rows)
    return TrainingClips(store, version, split=split, latents=latents), latents


def stored_latents(store: Store, folder: Path, frames: int) -> str:
    number = torch.arange(frames).half()
    maps = number[:, None, None, None].expand(-1, 4, 2, 2).contiguous()
    file = folder / f"latents{frames}"
    save_file({"rgb": maps, "depth": -maps, "mask": maps[:, 0].clone()}, file)
    return store.put_file(file).sha256


def test_clips_are_the_splits_published_ones_by_id(store: Store, tmp_path: Path) -> None:
    clips, _ = opened(store, tmp_path)
    assert [(clip.clip_id, clip.kind, clip.frames, clip.has_speech) for clip in clips.clips] == [
        ("still", "studio", 1, False),
        ("talk", "wild", 16, True),
    ]
    assert clips.root == "abc"


def test_a_window_has_its_frames(store: Store, tmp_path: Path) -> None:
    clips, _ = opened(store, tmp_path)
    window = clips.latents(1, first=3, count=4)
    assert window.rgb.shape == (4, 4, 2, 2)
    assert window.rgb.dtype == torch.float32
    assert window.rgb[:, 0, 0, 0].tolist() == [3, 4, 5, 6]
    assert torch.equal(window.depth, -window.rgb)
    assert torch.equal(window.mask, window.rgb[:, 0])
    speech = clips.speech(1, first=3, count=4)
    assert torch.equal(speech, torch.arange(18.0, 42.0).reshape(4, 2, 3))
    assert len(clips.speech(1, first=0, count=16)) == 16


def test_the_training_sets_read_it_also_in_another_process(store: Store, tmp_path: Path) -> None:
    clips, _ = opened(store, tmp_path)
    sent = pickle.loads(pickle.dumps(clips))
    assert PairSet(sent).clips("studio") == [0]
    windows = WindowSet(sent, length=WindowLength())
    assert windows.clips() == [1]
    one, two = windows[Draw(clip=1, seed=5)], WindowSet(clips, length=WindowLength())[Draw(clip=1, seed=5)]
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_a_damaged_blob_is_found(store: Store, tmp_path: Path) -> None:
    clips, latents = opened(store, tmp_path)
    path = store.blob_path(latents["talk"])
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    with pytest.raises(CorruptBlob):
        clips.latents(1, first=0, count=1)


def test_clips_without_latents_and_empty_splits_are_named(store: Store, tmp_path: Path) -> None:
    rows = [stored_row(store, tmp_path, "talk", 2)]
    version = SimpleNamespace(root="abc", number=1, name="small", rows=rows)
    with pytest.raises(ValueError, match="first talk"):
        TrainingClips(store, version, split="train", latents={})
    with pytest.raises(ValueError, match="no published val clips"):
        TrainingClips(store, version, split="val", latents={})


def test_rows_of_a_split_are_published_and_sorted(store: Store, tmp_path: Path) -> None:
    rows = [stored_row(store, tmp_path, name, 1) for name in ("b", "a")]
    assert [row.clip_id for row in split_rows(rows, "train")] == ["a", "b"]
    assert split_rows(rows, "test") == []


def test_pictures_come_back(store: Store, tmp_path: Path) -> None:
    levels = torch.tensor([0, 255], dtype=torch.uint8)
    arrays = {
        "rgb": levels[:, None, None, None].expand(-1, 3, 4, 4).contiguous(),
        "code": torch.full((2, 4, 4), 0.25).half(),
        "mask": torch.ones(2, 4, 4, dtype=torch.bool),
    }
    save_file(arrays, tmp_path / "pictures")
    blob = store.put_file(tmp_path / "pictures").sha256
    pictures = load_pictures(store.blob_path(blob))
    assert pictures.rgb[:, 0, 0, 0].tolist() == [-1, 1]
    assert pictures.code.dtype == torch.float32
    assert pictures.mask.all()
    one = load_pictures(store.blob_path(blob), frames=slice(1, 2))
    assert torch.equal(one.rgb, pictures.rgb[1:])
    assert len(one.code) == len(one.mask) == 1
