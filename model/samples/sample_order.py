"""The order of training samples: a pure function of (root, seed, position).

The position counts samples over all epochs; global batch b of size B holds positions b B .. b B + B - 1. So
neither an interruption nor the number of processes and workers changes the samples.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch.utils.data import Sampler

from model.settings import Settings


class MixSettings(Settings):
    """Mix of studio captures and wild clips."""

    studio_share: float | None = Field(default=None, ge=0, le=1)
    """Share of studio samples in every stretch of training; None = their share in the dataset version. 0 and
    1 take one kind alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """One training sample: its clip, and the seed of everything that is random in it."""

    clip: int
    """Index of the clip in the reader."""
    seed: int
    """Seed of the sample's own generator (frames, noise, masks, dropout), 63 bits."""

    def generator(self) -> torch.Generator:
        """A new CPU generator for this sample."""
        return torch.Generator().manual_seed(self.seed)


class SampleOrder:
    """An endless sequence of draws with random access.

    Each kind is a sequence of its own, permutation after permutation of its clips; the mix interleaves the
    two evenly, so that every prefix has the wanted share to within one sample.
    """

    def __init__(
        self, *, root: str, seed: int, studio: Sequence[int], wild: Sequence[int], mix: MixSettings
    ) -> None:
        """Order the clips with these indices; `root` names the dataset version.

        Raises:
            ValueError: no clips, or none of a kind that the mix wants.
        """
        self._salt = f"{root}/{seed}"
        self._kinds = {"studio": tuple(studio), "wild": tuple(wild)}
        if not studio and not wild:
            raise ValueError("no clips to train on; check the version, the split and the stage's needs")
        if mix.studio_share is None:
            self.studio_share = Fraction(len(studio), len(studio) + len(wild))
        else:
            self.studio_share = Fraction(mix.studio_share).limit_denominator(10_000)
        for kind, share in (("studio", self.studio_share), ("wild", 1 - self.studio_share)):
            if share and not self._kinds[kind]:
                raise ValueError(f"the mix wants {float(share):g} {kind} samples, there are no {kind} clips")

    @property
    def epoch_samples(self) -> int:
        """Samples of an epoch: the number of clips of the kinds in use."""
        shares = {"studio": self.studio_share, "wild": 1 - self.studio_share}
        return sum(len(clips) for kind, clips in self._kinds.items() if shares[kind])

    def __getitem__(self, position: int) -> Draw:
        """The draw at a position, counted over all epochs."""
        # the number of studio samples before position p is floor(p share), in exact fractions: a sample is a
        # studio one where this number grows
        studio_before = int(position * self.studio_share)
        if int((position + 1) * self.studio_share) > studio_before:
            kind, number = "studio", studio_before
        else:
            kind, number = "wild", position - studio_before
        clips = self._kinds[kind]
        # every turn through the clips is a new permutation
        turn, place = divmod(number, len(clips))
        clip = clips[_permutation(f"{self._salt}/{kind}/{turn}", len(clips))[place]]
        return Draw(clip=clip, seed=seed_of(f"{self._salt}/draw/{position}"))

    def batch(self, number: int, *, size: int) -> list[Draw]:
        """Global batch `number`, from 0."""
        return [self[position] for position in range(number * size, (number + 1) * size)]


class ProcessBatches(Sampler[list[Draw]]):
    """The part of each global batch that one process loads, for DataLoader(batch_sampler=...).

    A global batch is cut into equal slices in order; process p takes slice p.
    """

    def __init__(
        self,
        order: SampleOrder,
        *,
        global_batch: int,
        first: int,
        count: int,
        process: int = 0,
        processes: int = 1,
    ) -> None:
        """Serve `count` global batches from batch `first` on; to resume, pass the number already done.

        Raises:
            ValueError: the global batch cannot be divided evenly.
        """
        super().__init__()
        if global_batch % processes:
            raise ValueError(
                f"a global batch of {global_batch} cannot be shared by {processes} processes; "
                f"take a multiple of {processes}"
            )
        self._order, self._batches = order, range(first, first + count)
        self._global_batch, self._size = global_batch, global_batch // processes
        self._process = process

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[list[Draw]]:
        for number in self._batches:
            start = number * self._global_batch + self._process * self._size
            yield [self._order[position] for position in range(start, start + self._size)]


def seed_of(text: str) -> int:
    """Seed of a text, the same on every machine and in every release: 0 .. 2^63 - 1, for torch and numpy."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


@lru_cache(maxsize=4)  # two kinds, each at the border of two permutations
def _permutation(salt: str, length: int) -> NDArray[np.int64]:
    # numpy promises the same stream of PCG64 for a seed; torch promises no such thing between releases
    return np.random.Generator(np.random.PCG64(seed_of(salt))).permutation(length)
