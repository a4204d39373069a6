"""The random numbers of training samples: each sample's own, whoever stands beside it in a batch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleNoise:
    """Drawn from each sample's seed, in this order, on the CPU."""

    generators: list[Generator]
    """In the state after these draws: for masks and dropout."""
    level: Tensor
    """(B,) int64, 0 .. levels - 1."""
    noise: Tensor
    """(B, ...) float32, standard normal."""

    @classmethod
    def draw(cls, seeds: Tensor, *, shape: tuple[int, ...], levels: int, device: torch.device) -> SampleNoise:
        """For seeds (B,); shape is one sample's noise."""
        generators = [torch.Generator().manual_seed(seed) for seed in seeds.tolist()]
        level = [torch.randint(levels, (), generator=generator) for generator in generators]
        noise = [torch.randn(shape, generator=generator) for generator in generators]
        return cls(
            generators=generators, level=torch.stack(level).to(device), noise=torch.stack(noise).to(device)
        )

    def keep(self, dropout: float) -> Tensor:
        """Which samples keep a condition, (B,) bool: each is dropped with this probability."""
        draws = [torch.rand((), generator=generator) for generator in self.generators]
        return (torch.stack(draws) >= dropout).to(self.level.device)
