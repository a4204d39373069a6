"""Evaluate samples: do they show the right person, do RGB and depth agree, and how does a clip talk?"""

from __future__ import annotations

from pathlib import Path

from pydantic import PositiveInt

from flows.outcome import Outcome, goal
from tasks.engine.schedule import Schedule, flow_log
from tasks.evaluation.evaluate_samples import score_samples, speaker, talking_clip, write_samples
from tasks.evaluation.open_evaluation import EvaluationSettings, open_evaluation
from tasks.evaluation.score_samples import SampleScores
from tasks.evaluation.write_page import write_page
from tasks.progress import StageProgress

DEPTH_STEPS = 4
"""Number of denoising steps of the depth that is estimated from the RGB of a sample."""


class EvaluateSamplesSettings(EvaluationSettings):
    """The model, the frames that it is evaluated on, and how portraits are sampled."""

    identities: PositiveInt = 24
    """Largest number of persons."""
    steps: PositiveInt = 20
    """Number of denoising steps of a sample."""
    seeds: PositiveInt = 3
    """Number of samples of each person, which show the spread."""


class EvaluatedSamples(Outcome):
    """Scores of the samples; the page shows the pictures."""

    scores: SampleScores
    report: Path
    """The page."""
    notices: tuple[str, ...]
    """What is untrained or synthetic in the model or the version, in sentences."""


@goal("evaluate-samples {settings.name}")
def evaluate_samples(settings: EvaluateSamplesSettings) -> EvaluatedSamples:
    """Sample held-out persons and a talking clip, and score identity and the agreement of RGB and depth."""
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
