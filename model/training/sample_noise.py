"""The random numbers of training samples: each sample's own, whoever stands beside it in a batch.

All come from the sample's seed, from a stream for each purpose. So other proportions of masks, say, leave
noise and dropout as they were. Everything is made on the CPU: its numbers are the same on every machine.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from model.networks.noise_schedule import LEVELS
from model.samples.seeds import seed_of


def streams(seeds: Tensor, purpose: str) -> list[Generator]:
    """A CPU generator for each of the seeds (B,)."""
    return [torch.Generator().manual_seed(seed_of(f"{seed}/{purpose}")) for seed in seeds.tolist()]


def noise_levels(seeds: Tensor) -> Tensor:
    """(B,) int64, uniform in 0 .. LEVELS - 1, on the CPU."""
    levels = [torch.randint(LEVELS, (), generator=generator) for generator in streams(seeds, "level")]
    return torch.stack(levels)


def sample_noise(seeds: Tensor, *, shape: tuple[int, ...]) -> Tensor:
    """Standard normal of one sample's shape for each seed, (B, ...) float32, on the CPU."""
    noise = torch.empty(len(seeds), *shape)
    for own, generator in zip(noise, streams(seeds, "noise"), strict=True):
        torch.randn(shape, generator=generator, out=own)
    return noise


def kept(seeds: Tensor, condition: str, *, dropout: float) -> Tensor:
    """Which samples keep a condition, (B,) bool on the CPU: each loses it with probability `dropout`."""
    draws = [torch.rand((), generator=generator) for generator in streams(seeds, f"dropout/{condition}")]
    return torch.stack(draws) >= dropout
