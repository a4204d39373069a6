"""Shards begin with the clips that take longest."""

from __future__ import annotations

from pathlib import Path

from tasks.dataset.plan import make_shards
from tasks.engine.clip import Clip


def clip(folder: Path, name: str, size: int | None) -> Clip:
    path = folder / name
    if size is not None:
        path.write_bytes(bytes(size))
    return Clip(clip_id=name, kind="wild", video_id=name, files={"source": str(path)}, blobs={}, values={})


def test_the_largest_files_come_first(tmp_path: Path) -> None:
    clips = [clip(tmp_path, name, size) for name, size in (("a", 10), ("b", None), ("c", 30), ("d", 20))]
    shards = make_shards(clips, workers=2, largest=100)
    assert [[one.clip_id for one in shard] for shard in shards] == [["c"], ["d"], ["a"], ["b"]]
