"""The order of samples: coverage, mix, resumption, and processes that see the same global batches."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader, Dataset

from model.samples.sample_order import Draw, MixSettings, ProcessBatches, SampleOrder

COUNTS = st.integers(0, 12)
SHARES = st.one_of(st.none(), st.floats(min_value=0.05, max_value=0.95))


def order_of(studio: int, wild: int, share: float | None = None, *, root="r", seed=0) -> SampleOrder:
    return SampleOrder(
        root=root,
        seed=seed,
        studio=range(studio),
        wild=range(studio, studio + wild),
        mix=MixSettings(studio_share=share),
    )


def clips(order: SampleOrder, first: int, count: int) -> list[int]:
    return [order[position].clip for position in range(first, first + count)]


@given(studio=COUNTS, wild=COUNTS, epoch=st.integers(0, 40), seed=st.integers(0, 9))
def test_each_epoch_covers_every_clip_once(studio: int, wild: int, epoch: int, seed: int) -> None:
    if studio + wild == 0:
        return
    order = order_of(studio, wild, seed=seed)
    assert order.epoch_samples == studio + wild
    seen = clips(order, epoch * order.epoch_samples, order.epoch_samples)
    assert sorted(seen) == list(range(studio + wild))


@given(studio=st.integers(1, 9), wild=st.integers(1, 9), share=st.floats(min_value=0.05, max_value=0.95))
def test_every_stretch_has_the_wanted_mix_and_kinds_stay_covered(studio, wild, share) -> None:
    seen = clips(order_of(studio, wild, share), 0, 200)
    is_studio = [clip < studio for clip in seen]
    for length in range(1, 201):
        assert abs(sum(is_studio[:length]) - share * length) <= 1.05
    for kind in (range(studio), range(studio, studio + wild)):
        counts = Counter(clip for clip in seen if clip in kind)
        assert max(counts.values()) - min(counts[clip] for clip in kind) <= 1


@settings(max_examples=50)
@given(
    studio=st.integers(1, 9),
    wild=st.integers(1, 9),
    share=SHARES,
    per_process=st.integers(1, 4),
    processes=st.integers(1, 3),
    stop=st.integers(0, 7),
)
def test_processes_and_interruptions_change_nothing(
    studio, wild, share, per_process, processes, stop
) -> None:
    size = per_process * processes
    whole = order_of(studio, wild, share)
    expected = [whole.batch(number, size=size) for number in range(8)]
    joined: list[list[Draw]] = [[] for _ in range(8)]
    for process in range(processes):
        again = order_of(studio, wild, share)  # another process makes its own
        share_out = {"global_batch": size, "process": process, "processes": processes}
        before = ProcessBatches(again, first=0, count=stop, **share_out)
        after = ProcessBatches(again, first=stop, count=8 - stop, **share_out)
        assert len(before) + len(after) == 8
        for number, draws in enumerate([*before, *after]):
            joined[number] += draws
    assert joined == expected


def test_root_seed_and_epoch_each_change_the_order() -> None:
    sequences = [
        tuple(clips(order_of(20, 20), 0, 40)),
        tuple(clips(order_of(20, 20), 40, 40)),
        tuple(clips(order_of(20, 20, seed=1), 0, 40)),
        tuple(clips(order_of(20, 20, root="other"), 0, 40)),
    ]
    assert len(set(sequences)) == 4


def test_the_order_is_the_same_on_every_machine() -> None:
    """Literal values: a change here makes old checkpoints resume with other samples."""
    order = order_of(3, 2)
    assert clips(order, 0, 10) == [4, 2, 3, 1, 0, 4, 1, 3, 2, 0]
    assert order[7].seed == 1004719737946575887


def test_each_position_has_its_own_seed() -> None:
    order = order_of(2, 1)
    assert len({order[position].seed for position in range(500)}) == 500
    one, two = (torch.rand(3, generator=order[4].generator()) for _ in range(2))
    assert torch.equal(one, two)


class Echo(Dataset):
    def __getitem__(self, draw: Draw) -> tuple[int, int]:
        return draw.clip, draw.seed


def fresh(workers: int) -> str | None:
    """Workers that inherit nothing: a process that other tests gave threads and servers must not fork."""
    return "spawn" if workers else None


@pytest.mark.parametrize("workers", [0, 2])
def test_workers_of_a_loader_change_nothing(workers: int) -> None:
    order = order_of(4, 3)
    batches = ProcessBatches(order, global_batch=4, first=2, count=3)
    loader = DataLoader(
        Echo(),
        batch_sampler=batches,
        num_workers=workers,
        multiprocessing_context=fresh(workers),
        collate_fn=list,
    )
    expected = [[(d.clip, d.seed) for d in order.batch(number, size=4)] for number in (2, 3, 4)]
    assert list(loader) == expected


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="no clips to train on"):
        order_of(0, 0)
    with pytest.raises(ValueError, match="no wild clips"):
        order_of(3, 0, 0.5)
    assert set(clips(order_of(3, 2, 1.0), 0, 20)) == {0, 1, 2}
    assert order_of(3, 2, 1.0).epoch_samples == 3
    with pytest.raises(ValueError, match="multiple of 3"):
        ProcessBatches(order_of(3, 2), global_batch=4, first=0, count=1, processes=3)
