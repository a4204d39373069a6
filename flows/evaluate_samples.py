"""Whether samples look like their person, whether RGB and depth agree, and a talking clip to look at."""

from __future__ import annotations

from pathlib import Path

from prefect import flow
from pydantic import PositiveInt

from flows.outcome import Outcome, tell_outcome
from tasks.engine.schedule import Schedule, flow_log
from tasks.evaluation.evaluate_samples import score_samples, speaker, talking_clip, write_samples
from tasks.evaluation.open_evaluation import EvaluationSettings, open_evaluation
from tasks.evaluation.score_samples import SampleScores
from tasks.evaluation.write_page import write_page
from tasks.progress import StageProgress

DEPTH_STEPS = 4
"""Of the depth that is estimated from a sample's RGB."""


class EvaluateSamplesSettings(EvaluationSettings):
    """What is evaluated on what, and how it is sampled."""

    identities: PositiveInt = 24
    """Persons at most."""
    steps: PositiveInt = 20
    """Denoising steps of a sample."""
    seeds: PositiveInt = 3
    """Samples of each person, for the spread."""


class EvaluatedSamples(Outcome):
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
        open_evaluation(settings, progress, further=speaker) as evaluation,
    ):
        schedule = Schedule(1)
        people = schedule.submit(
            score_samples,
            evaluation,
            identities=settings.identities,
            steps=settings.steps,
            depth_steps=DEPTH_STEPS,
            seeds=settings.seeds,
        )
        talking = schedule.submit(talking_clip, evaluation, steps=settings.steps)
        result = schedule.submit(write_samples, evaluation, people, talking, out=settings.out).result()
        schedule.close()
    return EvaluatedSamples(scores=result.scores, report=write_page(settings.out), notices=result.notices)
