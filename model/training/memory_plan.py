"""Which way of training fits a GPU: weights, gradients, optimizer state and activations of a stage."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from model.training.profiles import Profile
from model.training.stage_memory import DiffusionStage, StageMemory, stage_memory

MB, GB = 10**6, 10**9
WORKSPACE_SHARE = 0.1
"""Of activations: short-lived buffers and gaps between blocks of memory."""
CUDA_GB = 1.0
"""CUDA's own, with its libraries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryOption:
    """A way to train."""

    name: str
    settings: dict[str, str]
    """Of the trainer."""
    bf16: bool = True
    state: float = 8
    """Bytes of a trained parameter's optimizer state."""
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
"""By preference among what fits: full state first, and one that needs no exchange of weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRow:
    """A recipe's memory on one GPU, in GB of 10^9 bytes, and what fits."""

    recipe: str
    settings: dict[str, str]
    """Of the trainer."""
    weights_gb: float
    """With their copies in bf16."""
    gradients_gb: float
    """With the buffers in which several GPUs sum them."""
    optimizer_gb: float
    """State and moving average."""
    sample_gb: float
    """Activations of one sample."""
    samples: dict[int, int]
    """GPU's memory in GB -> samples at once; 0 = the recipe does not fit."""

    @property
    def fixed_gb(self) -> float:
        """Whatever the samples."""
        return self.weights_gb + self.gradients_gb + self.optimizer_gb + CUDA_GB

    @property
    def recomputes(self) -> bool:
        """Whether activations are computed again in backward."""
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
    """Among which the batch can be shared out evenly."""
    rows: tuple[PlanRow, ...]
    chosen: dict[int, dict[str, str] | None]
    """GPU's memory in GB -> trainer settings of the first choice; None = nothing fits."""


def plan_stage(stage: DiffusionStage, profile: Profile, *, gpus: int, sizes_gb: Sequence[int]) -> MemoryPlan:
    """Count a stage of a profile and see what fits GPUs of these sizes."""
    trainer = getattr(profile, stage).trainer
    batch = trainer.global_batch
    memory = stage_memory(stage, profile)
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
    """All recipes, with and without checkpointing; `global_batch` is a multiple of `gpus`."""
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
    """Weights, gradients and optimizer of one GPU; all that lasts is float32."""
    trained, state = memory.trained, (recipe.state + 4 * average) * memory.trained
    if recipe.shared_out:
        # its part, and the gathered bf16 weights and their gradients until those are summed
        weights = 4 * memory.parameters / gpus + 2 * memory.parameters
        return _gb(weights), _gb(4 * trained / gpus + 2 * trained), _gb(state / gpus)
    copies = memory.activations[recipe.bf16, checkpointing].step
    if recipe.bf16:
        copies = max(copies, 2 * trained)  # autocast holds a copy of each until the forward pass is through
    buffers = 4 * trained if gpus > 1 else 0
    return _gb(4 * memory.parameters + copies), _gb(4 * trained + buffers), _gb(state)


def _gb(count: float) -> float:
    """Bytes in GB, up to the next MB: the table adds up, and no sample is free."""
    return math.ceil(count / MB) / (GB // MB)


def _largest_cut(fits: float, *, share: int) -> int:
    """The most samples at once, at most `fits`, into which a GPU's share can be cut evenly."""
    return max((size for size in range(1, share + 1) if size <= fits and share % size == 0), default=0)


def recommended(rows: Sequence[PlanRow], size_gb: int) -> PlanRow | None:
    """The fastest that fits: no recomputing where that can be, then by preference; None = nothing fits."""
    fitting = [row for row in rows if row.samples[size_gb]]
    return min(fitting, key=lambda row: row.recomputes, default=None)


def _chosen(rows: Sequence[PlanRow], size_gb: int, *, share: int) -> dict[str, str] | None:
    row = recommended(rows, size_gb)
    return None if row is None else {**row.settings, "accumulation": str(share // row.samples[size_gb])}


def lines(stage: str, plan: MemoryPlan) -> Iterator[str]:
    """A stage's plan as a table to read."""
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
        told = (
            "nothing fits"
            if settings is None
            else " ".join(f"{key}={value}" for key, value in settings.items())
        )
        yield f"  {size} GB: {told}"
