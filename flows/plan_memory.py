"""How much GPU memory the diffusion stages of a profile take, and which trainer settings fit which GPU."""

from __future__ import annotations

from typing import Literal, get_args

from prefect import flow
from pydantic import PositiveInt

from flows.outcome import Outcome, tell_outcome
from model.settings import Settings
from model.training.memory_plan import MemoryPlan, lines, plan_stage
from model.training.profiles import find_profile
from model.training.stage_memory import DiffusionStage
from tasks.engine.schedule import flow_log
from tasks.progress import StageProgress


class PlanMemorySettings(Settings):
    """What is to be trained, and on what."""

    profile: str = "paper"
    """small, demo or paper, or a JSON file with a profile."""
    stage: DiffusionStage | Literal["all"] = "all"
    """Stage to plan; all of them one after the other."""
    gpus: PositiveInt = 1
    """GPUs that share the global batch."""
    sizes_gb: tuple[PositiveInt, ...] = (24, 48, 80)
    """Memory of a GPU; one column for each, GB = 10^9 bytes."""


class PlannedMemory(Outcome):
    """What fits."""

    profile: str
    stages: dict[str, MemoryPlan]


@flow(
    name="plan-memory",
    flow_run_name="plan-memory {settings.profile}",
    persist_result=False,
    on_completion=[tell_outcome],
)
def plan_memory(settings: PlanMemorySettings) -> PlannedMemory:
    """Weights, gradients, optimizer and activations per GPU, counted without weights and without a GPU."""
    profile = find_profile(settings.profile)
    stages: tuple[DiffusionStage, ...] = (
        get_args(DiffusionStage) if settings.stage == "all" else (settings.stage,)
    )
    plans: dict[str, MemoryPlan] = {}
    with StageProgress(log=flow_log()) as progress:
        for stage in stages:
            plans[stage] = plan_stage(stage, profile, gpus=settings.gpus, sizes_gb=settings.sizes_gb)
            for line in lines(stage, plans[stage]):
                progress.say(line)
    return PlannedMemory(profile=settings.profile, stages=plans)
