"""Samples: the same draw is the same sample, references are another frame of the person, windows fit."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from model.samples.sample_order import Draw, MixSettings, ProcessBatches, SampleOrder
from model.samples.training_set import ClipFacts, Latents, PairSet, WindowLength, WindowSet, speech_windows

LAYERS, WIDTH = 2, 3


class Counting:
    """Clips whose latents are 100 x clip + frame, in depth half as much."""

    root = "counting"

    def __init__(self) -> None:
        def clip(name: str, kind: str, person: str, frames: int, speaks: bool = False) -> ClipFacts:
            return ClipFacts(clip_id=name, kind=kind, subject_id=person, frames=frames, has_speech=speaks)

        self.clips = (
            clip("a1", "studio", "anna", 1),
            clip("a2", "studio", "anna", 1),
            clip("a3", "studio", "anna", 1),
            clip("b1", "studio", "bo", 1),
            clip("talk", "wild", "cy", 30, True),
            clip("brief", "wild", "di", 13, True),
            clip("mute", "wild", "anna", 30),
            clip("exact", "wild", "ed", 14, True),
        )

    def latents(self, clip: int, *, first: int, count: int) -> Latents:
        assert 0 <= first <= first + count <= self.clips[clip].frames
        value = (100.0 * clip + torch.arange(first, first + count))[:, None, None, None].expand(-1, 4, 2, 2)
        return Latents(rgb=value, depth=value / 2, mask=torch.ones(count, 2, 2))

    def speech(self, clip: int, *, first: int, count: int) -> Tensor:
        assert 0 <= first <= first + count <= self.clips[clip].frames
        assert count <= 14 + 2 * 2, "no more than the windows reach"
        frames = torch.arange(first, first + count, dtype=torch.float32)
        return frames[:, None, None].expand(-1, LAYERS, WIDTH)


def number(latents: Tensor) -> int:
    assert (latents == latents.flatten()[0]).all()
    return int(latents.flatten()[0])


def test_a_draw_is_a_sample() -> None:
    pairs = PairSet(Counting())
    one, two, other = (pairs[Draw(clip=4, seed=seed)] for seed in (1, 1, 2))
    assert one.keys() == {"rgb", "depth", "mask", "reference", "seed"}
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert one["seed"] != other["seed"]
    assert one["rgb"].shape == (4, 2, 2)
    assert torch.equal(one["depth"], one["rgb"] / 2)


def test_a_video_refers_to_another_of_its_frames() -> None:
    pairs = PairSet(Counting())
    targets, references = set(), set()
    for seed in range(400):
        sample = pairs[Draw(clip=6, seed=seed)]
        target, reference = number(sample["rgb"]), number(sample["reference"])
        assert target != reference
        targets.add(target)
        references.add(reference)
    assert targets == references == set(range(600, 630))


def test_a_still_refers_to_another_still_of_the_person() -> None:
    pairs = PairSet(Counting())
    seen = {number(pairs[Draw(clip=0, seed=seed)]["reference"]) for seed in range(50)}
    assert seen == {100, 200}
    assert number(pairs[Draw(clip=3, seed=0)]["reference"]) == 300  # alone


def test_kinds_are_told_apart() -> None:
    pairs = PairSet(Counting())
    assert pairs.clips("studio") == [0, 1, 2, 3]
    assert pairs.clips("wild") == [4, 5, 6, 7]


def test_windows_are_of_clips_that_speak_and_are_long_enough() -> None:
    assert WindowSet(Counting(), length=WindowLength()).clips() == [4, 7]


def test_a_window_has_its_frames_and_their_speech() -> None:
    windows = WindowSet(Counting(), length=WindowLength())
    firsts = set()
    for seed in range(200):
        sample = windows[Draw(clip=4, seed=seed)]
        assert sample["rgb"].shape == (14, 4, 2, 2)
        assert sample["mask"].shape == (14, 2, 2)
        assert sample["speech"].shape == (14, 5, LAYERS, WIDTH)
        frames = [number(frame) - 400 for frame in sample["rgb"]]
        assert frames == list(range(frames[0], frames[0] + 14))
        middles = sample["speech"][:, 2, 0, 0].int().tolist()
        assert middles == frames
        assert sample["speech"][0, 0, 0, 0] == max(frames[0] - 2, 0)
        assert sample["speech"][-1, -1, 0, 0] == min(frames[-1] + 2, 29)
        assert number(sample["reference"]) - 400 not in frames
        firsts.add(frames[0])
    assert firsts == set(range(17))


def test_a_window_that_is_the_whole_clip_refers_to_itself() -> None:
    sample = WindowSet(Counting(), length=WindowLength())[Draw(clip=7, seed=3)]
    assert 700 <= number(sample["reference"]) < 714


def fresh(workers: int) -> str | None:
    """Workers that inherit nothing: a process that other tests gave threads and servers must not fork."""
    return "spawn" if workers else None


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_do_not_depend_on_workers(workers: int) -> None:
    pairs = PairSet(Counting())
    order = SampleOrder(
        root="counting",
        seed=0,
        studio=pairs.clips("studio"),
        wild=pairs.clips("wild"),
        mix=MixSettings(studio_share=0.5),
    )
    batches = ProcessBatches(order, global_batch=4, first=0, count=2)
    for number_, batch in enumerate(
        DataLoader(pairs, batch_sampler=batches, num_workers=workers, multiprocessing_context=fresh(workers))
    ):
        expected = [pairs[draw] for draw in order.batch(number_, size=4)]
        for name, stacked in batch.items():
            assert torch.equal(stacked, torch.stack([sample[name] for sample in expected]))


SIX = torch.arange(6.0)[:, None, None].expand(6, 2, 3)


def windows_of(first: int, count: int, window: int) -> list[list[int]]:
    windows = speech_windows(SIX, first=first, count=count, window=window)
    assert windows.shape == (count, window, 2, 3)
    return windows[:, :, 0, 0].int().tolist()


def test_inside_a_clip_speech_windows_are_centred() -> None:
    assert windows_of(2, 2, 5) == [[0, 1, 2, 3, 4], [1, 2, 3, 4, 5]]


def test_at_the_ends_of_speech_frames_are_repeated() -> None:
    assert windows_of(0, 1, 5) == [[0, 0, 0, 1, 2]]
    assert windows_of(4, 2, 5) == [[2, 3, 4, 5, 5], [3, 4, 5, 5, 5]]
    assert windows_of(0, 6, 1) == [[0], [1], [2], [3], [4], [5]]


def test_speech_windows_of_a_part_are_those_of_the_whole() -> None:
    whole = speech_windows(SIX, first=0, count=6, window=3)
    assert torch.equal(speech_windows(SIX, first=1, count=4, window=3), whole[1:5])


def test_impossible_speech_windows_are_refused() -> None:
    with pytest.raises(ValueError, match="odd"):
        windows_of(0, 1, 4)
    with pytest.raises(ValueError, match=r"frames 4 \.\. 7 of a clip of 6"):
        windows_of(4, 3, 5)
