"""What a diffusion stage holds in memory: parameters and activations, counted without weights.

The real step of the stage runs its real loss on tensors that have shapes and no memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from model.samples.training_set import Sample
from model.training.activation_memory import (
    KeptTensors,
    kept_for_backward,
    like_cuda_autocast,
    real_values,
    shapes_only,
)
from model.training.denoising import DiffusionStep
from model.training.untrained import Shapes


@dataclass(frozen=True, slots=True, kw_only=True)
class Activations:
    """Bytes kept for the backward pass, an upper bound."""

    step: int
    """Share that does not depend on the batch: copies of weights."""
    sample: int
    """Additional bytes for each sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageMemory:
    """What a stage needs under every memory option."""

    networks: dict[str, int]
    """Parameters of each network."""
    trained: int
    """Parameters that train; the others are frozen."""
    activations: dict[tuple[bool, bool], Activations]
    """(bf16, gradient checkpointing) -> activations."""

    @property
    def parameters(self) -> int:
        """Parameters of all networks."""
        return sum(self.networks.values())


def stage_memory(build: Callable[[], DiffusionStep], shapes: Shapes) -> StageMemory:
    """Count a stage's parameters and activations.

    Args:
        build: makes the stage's step; called where tensors take no memory.
        shapes: of one sample.
    """
    with shapes_only():
        step = build()
        counts = {name: list(network.parameters()) for name, network in step.networks().items()}
        return StageMemory(
            networks={name: sum(held.numel() for held in each) for name, each in counts.items()},
            trained=sum(held.numel() for each in counts.values() for held in each if held.requires_grad),
            activations={
                (bf16, checkpointing): _activations(step, shapes, bf16=bf16, checkpointing=checkpointing)
                for bf16 in (False, True)
                for checkpointing in (False, True)
            },
        )


def _activations(step: DiffusionStep, shapes: Shapes, *, bf16: bool, checkpointing: bool) -> Activations:
    """Split what is kept into a step's share and each sample's, from batches of one and of two.

    With kept(B) = step + B sample: sample = kept(2) - kept(1), step = 2 kept(1) - kept(2). Which checkpointed
    block is the largest may change with the batch, so the largest share of any block is added to each.
    """

    def kept(samples: int) -> KeptTensors:
        def run() -> Tensor:
            if not bf16:
                return worst_case_loss(step, shapes, samples=samples)
            with like_cuda_autocast():
                return worst_case_loss(step, shapes, samples=samples)

        return kept_for_backward(step.networks(), run, checkpointing=checkpointing)

    one, two = kept(1), kept(2)
    blocks = list(zip(one.blocks, two.blocks, strict=True))
    return Activations(
        step=2 * one.bytes - two.bytes + max((2 * first - second for first, second in blocks), default=0),
        sample=two.bytes - one.bytes + max((second - first for first, second in blocks), default=0),
    )


def worst_case_loss(step: DiffusionStep, shapes: Shapes, *, samples: int) -> Tensor:
    """The loss of a batch of zeros in which no sample loses a condition; call it within `shapes_only`."""
    batch: Sample = {name: torch.zeros(samples, *shape) for name, shape in shapes.items()}
    # masks and noise are drawn number by number, which takes values
    with real_values():
        corruption = step.corruption({**batch, "seed": torch.arange(samples)})
    return step.loss(batch, replace(corruption, keep=dict.fromkeys(corruption.keep))).total
