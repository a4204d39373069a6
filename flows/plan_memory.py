"""Plan GPU memory: what the diffusion stages of a profile take, and which trainer settings fit which GPU."""

from __future__ import annotations

from functools import partial
from typing import Literal, get_args

from pydantic import PositiveInt

from flows.outcome import Outcome, goal
from model.settings import Settings
from model.training.memory_plan import MemoryPlan, lines, plan_stage
from model.training.profiles import DiffusionStage, find_profile
from tasks.engine.schedule import flow_log
from tasks.progress import StageProgress
from tasks.training.stages import find_stage


class PlanMemorySettings(Settings):
    """What is to be trained, and on which GPUs."""

    profile: str = "paper"
    """Profile: small, demo or paper, or the path of a JSON file."""
    stage: DiffusionStage | Literal["all"] = "all"
    """Stage to plan, or all of them."""
    gpus: PositiveInt = 1
    """Number of GPUs that share the global batch."""
    sizes_gb: tuple[PositiveInt, ...] = (24, 48, 80)
    """Memory sizes of a GPU, one column each; GB = 10^9 bytes."""


class PlannedMemory(Outcome):
    """What fits."""

    profile: str
    """Profile that was planned."""
    stages: dict[str, MemoryPlan]
    """Stage -> its plan."""


@goal("plan-memory {settings.profile}")
def plan_memory(settings: PlanMemorySettings) -> PlannedMemory:
    """Count weights, gradients, optimizer state and activations, without any weights and without a GPU."""
    profile = find_profile(settings.profile)
    wanted = get_args(DiffusionStage) if settings.stage == "all" else (settings.stage,)
    plans: dict[str, MemoryPlan] = {}
    with StageProgress(log=flow_log()) as progress:
        for stage in map(find_stage, wanted):
            plans[stage.name] = plan_stage(
                partial(stage.untrained_step, profile),
                stage.sample_shapes(profile),
                trainer=profile.trainer(stage.name),
                gpus=settings.gpus,
                sizes_gb=settings.sizes_gb,
            )
            for line in lines(stage.name, plans[stage.name]):
                progress.say(line)
    return PlannedMemory(profile=settings.profile, stages=plans)
