"""The random numbers of training samples: they depend on the sample alone, not on its batch.

Each purpose has a stream of its own, seeded by the sample's seed, so that other shares of masks, for example,
leave noise and dropout unchanged. Everything is drawn on the CPU: the numbers are the same on every machine.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from model.networks.noise_schedule import LEVELS
from model.samples.sample_order import seed_of


def streams(seeds: Tensor, purpose: str) -> list[Generator]:
    """A CPU generator for this purpose for each of the seeds (B,)."""
    # hashed, because torch's CPU generator takes only the lower 32 bits of a seed
    return [torch.Generator().manual_seed(seed_of(f"{seed}/{purpose}")) for seed in seeds.tolist()]


def noise_levels(seeds: Tensor) -> Tensor:
    """Draw noise levels (B,) int64 on the CPU, uniform in 0 .. LEVELS - 1 (paper eq. 5)."""
    levels = [torch.randint(LEVELS, (), generator=generator) for generator in streams(seeds, "level")]
    return torch.stack(levels)


def sample_noise(seeds: Tensor, *, shape: tuple[int, ...]) -> Tensor:
    """Draw standard normal noise of one sample's shape for each seed: (B, ...) float32 on the CPU."""
    noise = torch.empty(len(seeds), *shape)
    for own, generator in zip(noise, streams(seeds, "noise"), strict=True):
        torch.randn(shape, generator=generator, out=own)
    return noise


def kept(seeds: Tensor, condition: str, *, dropout: float) -> Tensor:
    """Draw which samples keep a condition, (B,) bool on the CPU; each loses it with probability `dropout`."""
    draws = [torch.rand((), generator=generator) for generator in streams(seeds, f"dropout/{condition}")]
    return torch.stack(draws) >= dropout
