"""The frames that are judged: spread over clips, with skin, and none dropped in silence."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import torch

from model.samples.manifest import ManifestRow
from model.samples.pictures import Pictures
from tasks.evaluation.held_out_frames import choose_frames, joined, taken
from tests.tasks.evaluation.synthetic_frames import (
    FAR_M,
    NEAR_M,
    faces,
    pictures_of,
    row_of,
    synthetic_frames,
)


@dataclass
class ClipsHere:
    """CachedClips in memory."""

    held: dict[str, Pictures]
    every: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.every = {name: self.every.get(name, 1) for name in self.held}

    def count(self, row: ManifestRow) -> int:
        return len(self.held[row.clip_id])

    def chosen(self, row: ManifestRow, places: tuple[int, ...]) -> list[Pictures]:
        return [taken(self.held[row.clip_id], [place]) for place in places]


def clip(frames: int, *, skinless: tuple[int, ...] = ()) -> Pictures:
    pictures = pictures_of(faces(1).expand(frames, -1, -1).clone())
    pictures.mask[list(skinless)] = False
    return pictures


LONG, STILL = row_of("long", frames=20), row_of("still", kind="studio", depth_far_m=0.9)


def test_frames_are_spread_over_each_clip() -> None:
    clips = ClipsHere({"clip_long": clip(20), "clip_still": clip(1)})
    frames = choose_frames([LONG, STILL], clips, per_clip=4)
    assert frames.names == ["clip_long:2", "clip_long:7", "clip_long:12", "clip_long:17", "clip_still:0"]
    assert len(frames) == 5
    assert frames.skinless == 0
    assert torch.equal(frames.rgb, (torch.cat([clip(20).rgb[[2, 7, 12, 17]], clip(1).rgb]) + 1) / 2)
    assert frames.of_kind("studio").tolist() == [False] * 4 + [True]
    assert frames.of_kind("wild").tolist() == [True] * 4 + [False]


def test_numbers_are_the_clips_own_where_not_all_frames_are_cached() -> None:
    frames = choose_frames([LONG], ClipsHere({"clip_long": clip(5)}, every={"clip_long": 4}), per_clip=2)
    assert frames.frames == (4, 12)
    assert torch.equal(frames.pictures.rgb, clip(5).rgb[[1, 3]])


def test_frames_without_skin_are_counted() -> None:
    clips = ClipsHere({"clip_long": clip(20, skinless=(7, 17, 3)), "clip_still": clip(1, skinless=(0,))})
    frames = choose_frames([LONG, STILL], clips, per_clip=4)
    assert frames.frames == (2, 12)
    assert frames.skinless == 3
    with pytest.raises(ValueError, match="no frame of the split shows skin"):
        choose_frames([STILL], clips, per_clip=4)


def test_metres_are_of_each_frames_own_clip() -> None:
    clips = ClipsHere({"clip_long": clip(2), "clip_still": clip(1)})
    frames = choose_frames([LONG, STILL], clips, per_clip=1)
    assert [(seen.near_m, seen.far_m) for seen in frames.ranges] == [(NEAR_M, FAR_M), (NEAR_M, 0.9)]
    wild, studio = frames.truth_m
    assert wild.max() == pytest.approx(FAR_M)
    assert studio.max() == pytest.approx(0.9)
    torch.testing.assert_close((studio - NEAR_M) / (0.9 - NEAR_M), (wild - NEAR_M) / (FAR_M - NEAR_M))


def test_what_is_taken_apart_is_joined_again() -> None:
    pictures = synthetic_frames([("a", 4)]).pictures
    again = joined([taken(pictures, [index]) for index in range(4)])
    for name in ("rgb", "code", "mask"):
        assert torch.equal(getattr(again, name), getattr(pictures, name))
