"""Which trainer settings fit a GPU: weights, gradients, optimizer state and activations of a stage."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from model.training.denoising import DiffusionStep
from model.training.stage_memory import StageMemory, stage_memory
from model.training.trainer_settings import TrainerSettings
from model.training.untrained import Shapes

MB, GB = 10**6, 10**9
WORKSPACE_SHARE = 0.1
"""Share of the activations for short-lived buffers and gaps between blocks of memory."""
CUDA_GB = 1.0
"""Memory that CUDA and its libraries take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryOption:
    """A way to train: precision, optimizer and sharing over GPUs."""

    name: str
    settings: dict[str, str]
    """Trainer settings of this option."""
    bf16: bool = True
    state: float = 8
    """Bytes of optimizer state for each trained parameter."""
    shared_out: bool = False
    """Weights, gradients and optimizer state are shared out over the GPUs."""


RECIPES = (
    MemoryOption(name="bf16, AdamW", settings={"mixed_precision": "bf16"}),
    MemoryOption(
        name="bf16, AdamW shared out",
        settings={"mixed_precision": "bf16", "sharding": "gradients"},
        shared_out=True,
    ),
    MemoryOption(
        name="bf16, 8-bit AdamW",
        settings={"mixed_precision": "bf16", "optimizer": "adamw_8bit"},
        state=2,
    ),
    MemoryOption(name="fp32, AdamW", settings={"mixed_precision": "no"}, bf16=False),
)
"""Options in order of preference among those that fit: full state first, and no exchange of weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRow:
    """Memory of an option on one GPU, in GB of 10^9 bytes, and what fits."""

    recipe: str
    settings: dict[str, str]
    """Trainer settings of this option."""
    weights_gb: float
    """Weights, with their copies in bf16."""
    gradients_gb: float
    """Gradients, with the buffers in which several GPUs sum them."""
    optimizer_gb: float
    """Optimizer state and moving average."""
    sample_gb: float
    """Activations of one sample."""
    samples: dict[int, int]
    """Memory of a GPU in GB -> samples at once; 0 = the option does not fit."""

    @property
    def fixed_gb(self) -> float:
        """Memory that does not depend on the number of samples."""
        return self.weights_gb + self.gradients_gb + self.optimizer_gb + CUDA_GB

    @property
    def recomputes(self) -> bool:
        """Whether the backward pass computes activations again."""
        return self.settings["gradient_checkpointing"] == "true"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPlan:
    """A stage on GPUs of several sizes."""

    networks: dict[str, int]
    """Parameters of each network."""
    trained: int
    """Parameters that train."""
    global_batch: int
    gpus: int
    """GPUs among which the batch can be shared out evenly."""
    rows: tuple[PlanRow, ...]
    chosen: dict[int, dict[str, str] | None]
    """Memory of a GPU in GB -> trainer settings of the first choice; None = nothing fits."""


def plan_stage(
    build: Callable[[], DiffusionStep],
    shapes: Shapes,
    *,
    trainer: TrainerSettings,
    gpus: int,
    sizes_gb: Sequence[int],
) -> MemoryPlan:
    """Count a stage and see what fits GPUs of these sizes.

    Args:
        build: makes the stage's step with random weights.
        shapes: of one sample.
        trainer: settings of the stage's training loop.
        gpus: GPUs that share the global batch.
        sizes_gb: memory of a GPU; GB = 10^9 bytes.
    """
    batch, memory = trainer.global_batch, stage_memory(build, shapes)
    used = max(count for count in range(1, gpus + 1) if batch % count == 0)
    average = trainer.ema_decay is not None
    rows = plan_rows(memory, gpus=used, sizes_gb=sizes_gb, global_batch=batch, average=average)
    return MemoryPlan(
        networks=memory.networks,
        trained=memory.trained,
        global_batch=batch,
        gpus=used,
        rows=rows,
        chosen={size: _chosen(rows, size, share=batch // used) for size in sizes_gb},
    )


def plan_rows(
    memory: StageMemory, *, gpus: int, sizes_gb: Sequence[int], global_batch: int, average: bool
) -> tuple[PlanRow, ...]:
    """All options, with and without checkpointing; `global_batch` is a multiple of `gpus`."""
    rows = []
    for recipe in RECIPES:
        if recipe.shared_out and gpus == 1:
            continue
        for checkpointing in (False, True):
            weights, gradients, optimizer = _fixed_gb(
                recipe, memory, gpus=gpus, average=average, checkpointing=checkpointing
            )
            activations = memory.activations[recipe.bf16, checkpointing]
            sample = _gb((1 + WORKSPACE_SHARE) * activations.sample)
            fixed = weights + gradients + optimizer + CUDA_GB
            rows.append(
                PlanRow(
                    recipe=recipe.name,
                    settings={**recipe.settings, "gradient_checkpointing": str(checkpointing).lower()},
                    weights_gb=weights,
                    gradients_gb=gradients,
                    optimizer_gb=optimizer,
                    sample_gb=sample,
                    samples={
                        size: _largest_cut((size - fixed) / sample, share=global_batch // gpus)
                        for size in sizes_gb
                    },
                )
            )
    return tuple(rows)


def _fixed_gb(
    recipe: MemoryOption, memory: StageMemory, *, gpus: int, average: bool, checkpointing: bool
) -> tuple[float, float, float]:
    """Weights, gradients and optimizer state on one GPU; everything that lasts is float32 (4 bytes)."""
    # the moving average is one more float32 copy of what trains
    trained, state = memory.trained, (recipe.state + 4 * average) * memory.trained
    if recipe.shared_out:
        # each GPU's part, and the gathered bf16 weights and their gradients until those are summed
        weights = 4 * memory.parameters / gpus + 2 * memory.parameters
        return _gb(weights), _gb(4 * trained / gpus + 2 * trained), _gb(state / gpus)
    copies = memory.activations[recipe.bf16, checkpointing].step
    if recipe.bf16:
        copies = max(copies, 2 * trained)  # autocast holds a copy of each until the forward pass ends
    # DistributedDataParallel sums gradients in buffers of their size
    buffers = 4 * trained if gpus > 1 else 0
    return _gb(4 * memory.parameters + copies), _gb(4 * trained + buffers), _gb(state)


def _gb(count: float) -> float:
    """Bytes in GB, rounded up to whole MB: the table adds up, and no sample is free."""
    return math.ceil(count / MB) / (GB // MB)


def _largest_cut(fits: float, *, share: int) -> int:
    """Largest number of samples, at most `fits`, into which a GPU's share of the batch can be cut evenly."""
    return max((size for size in range(1, share + 1) if size <= fits and share % size == 0), default=0)


def recommended(rows: Sequence[PlanRow], size_gb: int) -> PlanRow | None:
    """The fastest option that fits: without recomputing if possible, then by preference; None = none."""
    fitting = [row for row in rows if row.samples[size_gb]]
    return min(fitting, key=lambda row: row.recomputes, default=None)


def _chosen(rows: Sequence[PlanRow], size_gb: int, *, share: int) -> dict[str, str] | None:
    row = recommended(rows, size_gb)
    return None if row is None else {**row.settings, "accumulation": str(share // row.samples[size_gb])}


def lines(stage: str, plan: MemoryPlan) -> Iterator[str]:
    """The plan of a stage as lines of a table."""
    networks = ", ".join(f"{name} {count:,}" for name, count in plan.networks.items())
    yield f"{stage}: {networks} parameters, of which {plan.trained:,} train"
    yield f"global batch {plan.global_batch} on {plan.gpus} GPU{'s' * (plan.gpus > 1)}; GB on each of them:"
    sizes = list(plan.chosen)
    yield (
        f"  {'recipe':23}{'recompute':>9}{'weights':>9}{'gradients':>10}{'optimizer':>10}{'fixed':>8}"
        f"{'a sample':>10}  at once:" + "".join(f"{f'{size} GB':>8}" for size in sizes)
    )
    for row in plan.rows:
        fits = "".join(f"{row.samples[size] or 'no':>8}" for size in sizes)
        yield (
            f"  {row.recipe:23}{'yes' if row.recomputes else 'no':>9}{row.weights_gb:9.3f}"
            f"{row.gradients_gb:10.3f}{row.optimizer_gb:10.3f}{row.fixed_gb:8.3f}{row.sample_gb:10.3f}"
            f"{'':10}{fits}"
        )
    for size, settings in plan.chosen.items():
        choice = (
            "nothing fits"
            if settings is None
            else " ".join(f"{key}={value}" for key, value in settings.items())
        )
        yield f"  {size} GB: {choice}"
