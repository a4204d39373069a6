"""How good a model's depth is: both protocols, beside what it has to beat."""

from __future__ import annotations

from pathlib import Path

from prefect import flow
from pydantic import PositiveInt

from flows.outcome import Outcome, tell_outcome
from tasks.engine.schedule import Schedule, flow_log
from tasks.evaluation.evaluate_depth import MODEL, depth_strips, estimate_depth
from tasks.evaluation.open_evaluation import EvaluationSettings, open_evaluation
from tasks.evaluation.results import DEPTH, DepthEvaluation, write_result
from tasks.evaluation.score_depth import PROTOCOLS, mean_scores, score_frames, scores_csv
from tasks.evaluation.strips import write_strip
from tasks.evaluation.write_page import write_page
from tasks.progress import StageProgress


class EvaluateDepthSettings(EvaluationSettings, frozen=True, extra="forbid", use_attribute_docstrings=True):
    """What is evaluated on what, and how depth is estimated."""

    steps: PositiveInt = 4
    """Denoising steps of a sample."""
    samples: PositiveInt = 4
    """Their mean is an estimate."""
    seeds: PositiveInt = 3
    """Estimates of every frame, for the spread."""


class EvaluatedDepth(Outcome, frozen=True):
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
        open_evaluation(settings, progress) as evaluation,
    ):
        schedule = Schedule(1)
        estimates = schedule.submit(
            estimate_depth,
            evaluation,
            steps=settings.steps,
            samples=settings.samples,
            seeds=settings.seeds,
        ).result()
        schedule.close()
        frames = evaluation.frames
        scored = [score for estimate in estimates for score in score_frames(frames, estimate)]
        model = next(estimate for estimate in estimates if estimate.name == MODEL)
        strips = [
            write_strip(settings.out, name, label, tiles, note=note)
            for name, label, note, tiles in depth_strips(frames, model)
        ]
        result = DepthEvaluation(
            dataset=settings.name,
            number=evaluation.version.number,
            root=evaluation.version.root,
            split=settings.split,
            origin=evaluation.model.origin,
            side_px=evaluation.side_px,
            notices=evaluation.notices,
            strips=tuple(strips),
            frames=len(frames),
            subjects=len({row.subject_id for row in frames.rows}),
            steps=settings.steps,
            samples=settings.samples,
            seeds=settings.seeds,
            protocols={protocol.name: str(protocol) for protocol in PROTOCOLS},
            scores={protocol.name: mean_scores(scored, protocol) for protocol in PROTOCOLS},
        )
    write_result(settings.out, "depth.csv", scores_csv(scored))
    write_result(settings.out, DEPTH, (result.model_dump_json(indent=1) + "\n").encode())
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
