"""What an evaluation caches: every frame of small pictures, a bounded number of large ones."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from model.samples.manifest import ManifestRow
from tasks.evaluation import cached_clips
from tasks.evaluation.cached_clips import KEPT_FRAMES, WHOLE_TO_PX, CachedClips, cache_clips, thinning
from tasks.media.published_clip import load_pictures
from tasks.stage import StageInput
from tasks.stages.cache_pictures import PictureSettings
from tasks.stages.cache_pictures import run as cache_pictures
from tasks.store.blobs import CorruptBlob, Store
from tests.tasks.small_clips import stored_row

LARGE_PX = WHOLE_TO_PX + 8


@dataclass
class EncoderHere:
    """VersionEncoder without its processes and its ledger."""

    store: Store
    scratch: Path
    asked: list[tuple[list[str], PictureSettings]]

    def pictures(self, rows: list[ManifestRow], settings: PictureSettings) -> dict[str, str]:
        self.asked.append(([row.clip_id for row in rows], settings))
        return {row.clip_id: self._cached(row, settings) for row in rows}

    def _cached(self, row: ManifestRow, settings: PictureSettings) -> str:
        scratch = self.scratch / f"{len(self.asked)}{row.clip_id}"
        scratch.mkdir()
        blobs = {role: self.store.blob_path(digest) for role, digest in row.blobs.items()}
        given = StageInput(blobs=blobs, values=row.model_dump(), scratch=scratch)
        return self.store.put_file(cache_pictures(given, settings).files["pictures"]).sha256


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store.create(tmp_path_factory.mktemp("cached") / "store")


@pytest.fixture(scope="module")
def rows(store: Store, tmp_path_factory: pytest.TempPathFactory) -> list[ManifestRow]:
    folder = tmp_path_factory.mktemp("clips")
    return [
        stored_row(store, folder, f"clip{frames}", frames)
        for frames in (1, 2 * KEPT_FRAMES - 1, 2 * KEPT_FRAMES, 4 * KEPT_FRAMES + 3)
    ]


@pytest.fixture
def encoder(store: Store, tmp_path: Path) -> EncoderHere:
    return EncoderHere(store=store, scratch=tmp_path, asked=[])


def cached(rows, encoder, *, side_px: int, per_clip: int = 4) -> CachedClips:
    return cache_clips(rows, encoder, side_px=side_px, per_clip=per_clip)


@pytest.mark.parametrize("least", [1, 4, 16, 17])
def test_large_pictures_keep_enough_frames_and_not_many_more(least: int) -> None:
    for frames in range(1, 400):
        every = thinning(frames, side_px=512, least=least)
        kept = len(range(0, frames, every))
        assert min(frames, least) <= kept <= 2 * least
        assert every & (every - 1) == 0
        assert thinning(frames, side_px=64, least=least) == 1


def test_small_pictures_are_asked_for_as_training_does_and_each_clip_once(rows, encoder) -> None:
    clips = cached([*rows, *rows[:2]], encoder, side_px=16)
    assert encoder.asked == [([row.clip_id for row in rows], PictureSettings(side_px=16))]
    assert [clips.count(row) for row in rows] == [row.frames for row in rows]


def test_large_pictures_are_thinned_by_the_clips_length(rows, encoder) -> None:
    clips = cached(rows, encoder, side_px=LARGE_PX)
    assert [clips.every[row.clip_id] for row in rows] == [1, 1, 2, 4]
    for row in rows:
        assert clips.count(row) == len(load_pictures(clips.store.blob_path(clips.digests[row.clip_id])))
    more = cached(rows, encoder, side_px=LARGE_PX, per_clip=4 * KEPT_FRAMES)
    assert set(more.every.values()) == {1}


def test_what_is_there_are_the_clips_frames(rows, encoder, monkeypatch) -> None:
    monkeypatch.setattr(cached_clips, "FRAMES_AT_ONCE", 7)
    long = rows[-1]
    thin = cached([long], encoder, side_px=LARGE_PX)
    every = PictureSettings(side_px=LARGE_PX)
    whole = load_pictures(encoder.store.blob_path(encoder.pictures([long], every)[long.clip_id]))
    assert torch.equal(torch.cat([part.code for part in thin.batches(long)]), whole.code[::4])
    for place, picture in zip((0, 9, 2), thin.chosen(long, (0, 9, 2)), strict=True):
        assert torch.equal(picture.rgb[0], whole.rgb[4 * place])
        assert torch.equal(picture.mask[0], whole.mask[4 * place])


def test_damaged_pictures_are_told(rows, encoder) -> None:
    clips = cached(rows[:1], encoder, side_px=24)
    path = encoder.store.blob_path(clips.digests[rows[0].clip_id])
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(CorruptBlob, match=re.escape(clips.digests[rows[0].clip_id][:12])):
        clips.chosen(rows[0], [0])
