"""How good a model's depth is: both protocols, beside what it has to beat."""

from __future__ import annotations

from pathlib import Path

from prefect import flow
from pydantic import PositiveInt

from flows.outcome import Outcome, tell_outcome
from tasks.engine.schedule import Schedule, flow_log
from tasks.evaluation.evaluate_depth import MODEL, estimate_depth, mean_map_clips, score_depth
from tasks.evaluation.open_evaluation import EvaluationSettings, open_evaluation
from tasks.evaluation.results import DepthEvaluation
from tasks.evaluation.write_page import write_page
from tasks.progress import StageProgress


class EvaluateDepthSettings(EvaluationSettings):
    """What is evaluated on what, and how depth is estimated."""

    steps: PositiveInt = 4
    """Denoising steps of a sample."""
    samples: PositiveInt = 4
    """Their mean is an estimate."""
    seeds: PositiveInt = 3
    """Estimates of every frame, for the spread."""


class EvaluatedDepth(Outcome):
    """The model's figures over all frames; the rest is in depth.json."""

    frames: int
    abs_rel_over_mean_map: float
    rmse_over_mean_map: float
    rmse_mm: float
    vae_bound_rmse_mm: float
    report: Path
    notices: tuple[str, ...]
    """What is untrained or synthetic in it."""


@flow(
    name="evaluate-depth",
    flow_run_name="evaluate-depth {settings.name}",
    persist_result=False,
    on_completion=[tell_outcome],
)
def evaluate_depth(settings: EvaluateDepthSettings) -> EvaluatedDepth:
    """Image to depth on a split, in both protocols, beside the mean map, the VAE's bound and the 3DMM fit."""
    with (
        StageProgress(log=flow_log()) as progress,
        open_evaluation(settings, progress, further=mean_map_clips) as evaluation,
    ):
        schedule = Schedule(1)
        estimates = schedule.submit(
            estimate_depth,
            evaluation,
            steps=settings.steps,
            samples=settings.samples,
            seeds=settings.seeds,
        )
        result = schedule.submit(score_depth, evaluation, estimates, out=settings.out).result()
        schedule.close()
    return _outcome(result, write_page(settings.out))


def _outcome(result: DepthEvaluation, report: Path) -> EvaluatedDepth:
    metric = result.scores["metric"]
    model = metric[MODEL]["all"]
    return EvaluatedDepth(
        frames=result.frames,
        abs_rel_over_mean_map=model.abs_rel_over_mean_map,
        rmse_over_mean_map=model.rmse_over_mean_map,
        rmse_mm=model.rmse,
        vae_bound_rmse_mm=metric["vae_bound"]["all"].rmse,
        report=report,
        notices=result.notices,
    )
