"""Evaluate the depth that a model estimates from pictures, beside baselines and bounds (paper 5.2)."""

from __future__ import annotations

from pathlib import Path

from pydantic import PositiveInt

from flows.outcome import Outcome, goal
from model.metrics.depth_estimators import DepthSampling, PipelineDepth, VaeBound
from tasks.engine.schedule import Schedule, flow_log
from tasks.evaluation.estimators import mean_map_clips
from tasks.evaluation.evaluate_depth import estimate_depth, score_depth
from tasks.evaluation.open_evaluation import EvaluationSettings, open_evaluation
from tasks.evaluation.results import DepthEvaluation
from tasks.evaluation.write_page import write_page
from tasks.progress import StageProgress


class EvaluateDepthSettings(EvaluationSettings):
    """The model, the frames that it is evaluated on, and how depth is estimated."""

    steps: PositiveInt = 4
    """Number of denoising steps of a sample."""
    samples: PositiveInt = 4
    """Number of samples whose mean is an estimate."""
    seeds: PositiveInt = 3
    """Number of estimates of every frame, which show the spread."""


class EvaluatedDepth(Outcome):
    """Scores of the model over all frames in the metric protocol; depth.json has all scores."""

    frames: int
    """Number of frames."""
    abs_rel_over_mean_map: float
    """AbsRel / AbsRel of the mean depth map."""
    rmse_over_mean_map: float
    """RMSE / RMSE of the mean depth map."""
    rmse_mm: float
    vae_bound_rmse_mm: float
    """RMSE of the ground truth after encoding and decoding: no denoiser can do better."""
    report: Path
    """The page."""
    notices: tuple[str, ...]
    """What is untrained or synthetic in the model or the version, in sentences."""


@goal("evaluate-depth {settings.name}")
def evaluate_depth(settings: EvaluateDepthSettings) -> EvaluatedDepth:
    """Estimate the depth of held-out pictures and score it in two protocols, beside baselines and bounds."""
    with (
        StageProgress(log=flow_log()) as progress,
        open_evaluation(settings, progress, further=mean_map_clips) as evaluation,
    ):
        schedule = Schedule(1)
        sampling = DepthSampling(steps=settings.steps, samples=settings.samples, seeds=settings.seeds)
        estimates = schedule.submit(estimate_depth, evaluation, sampling)
        result = schedule.submit(score_depth, evaluation, estimates, out=settings.out).result()
        schedule.close()
    return _outcome(result, write_page(settings.out))


def _outcome(result: DepthEvaluation, report: Path) -> EvaluatedDepth:
    metric = result.scores["metric"]
    model = metric[PipelineDepth.name]["all"]
    return EvaluatedDepth(
        frames=result.frames,
        abs_rel_over_mean_map=model.abs_rel_over_mean_map,
        rmse_over_mean_map=model.rmse_over_mean_map,
        rmse_mm=model.rmse,
        vae_bound_rmse_mm=metric[VaeBound.name]["all"].rmse,
        report=report,
        notices=result.notices,
    )
