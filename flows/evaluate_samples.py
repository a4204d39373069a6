"""Whether samples look like their person, whether RGB and depth agree, and a talking clip to look at."""

from __future__ import annotations

from pathlib import Path

from prefect import flow
from pydantic import PositiveInt

from flows.outcome import Outcome, tell_outcome
from tasks.engine.schedule import Schedule, flow_log
from tasks.evaluation.evaluate_samples import sample_strips, score_samples, talking_clip
from tasks.evaluation.open_evaluation import EvaluationSettings, open_evaluation
from tasks.evaluation.results import SAMPLES, SampleEvaluation, write_result
from tasks.evaluation.score_samples import SampleScores
from tasks.evaluation.strips import write_animation, write_strip
from tasks.evaluation.write_page import write_page
from tasks.progress import StageProgress

DEPTH_STEPS = 4
"""Of the depth that is estimated from a sample's RGB."""


class EvaluateSamplesSettings(EvaluationSettings, frozen=True, extra="forbid", use_attribute_docstrings=True):
    """What is evaluated on what, and how it is sampled."""

    identities: PositiveInt = 24
    """Persons at most."""
    steps: PositiveInt = 20
    """Denoising steps of a sample."""
    seeds: PositiveInt = 3
    """Samples of each person, for the spread."""


class EvaluatedSamples(Outcome, frozen=True):
    """The figures; pictures are in the report."""

    scores: SampleScores
    report: Path
    notices: tuple[str, ...]
    """What is untrained or synthetic in it."""


@flow(
    name="evaluate-samples",
    flow_run_name="evaluate-samples {settings.name}",
    persist_result=False,
    on_completion=[tell_outcome],
)
def evaluate_samples(settings: EvaluateSamplesSettings) -> EvaluatedSamples:
    """Identity with and without the reference, agreement of RGB and depth, and a talking clip."""
    with (
        StageProgress(log=flow_log()) as progress,
        open_evaluation(settings, progress) as evaluation,
    ):
        schedule = Schedule(1)
        people, sampled = schedule.submit(
            score_samples,
            evaluation,
            identities=settings.identities,
            steps=settings.steps,
            depth_steps=DEPTH_STEPS,
            seeds=settings.seeds,
        ).result()
        frames = schedule.submit(talking_clip, evaluation, steps=settings.steps).result()
        schedule.close()
        strips = [
            write_strip(settings.out, name, label, tiles, note=note)
            for name, label, note, tiles in sample_strips(people, sampled)
        ]
        result = SampleEvaluation(
            dataset=settings.name,
            number=evaluation.version.number,
            root=evaluation.version.root,
            split=settings.split,
            origin=evaluation.model.origin,
            side_px=evaluation.side_px,
            notices=evaluation.notices,
            strips=tuple(strips),
            steps=settings.steps,
            seeds=settings.seeds,
            scores=sampled.scores,
            talking=write_animation(settings.out, "talking", frames) if frames else None,
        )
    write_result(settings.out, SAMPLES, (result.model_dump_json(indent=1) + "\n").encode())
    return EvaluatedSamples(scores=result.scores, report=write_page(settings.out), notices=result.notices)
