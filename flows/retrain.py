"""Train on the latest version of a dataset and evaluate the model, for example after each rebuild."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import NonNegativeInt, PositiveInt

from flows.evaluate_depth import EvaluatedDepth, EvaluateDepthSettings, evaluate_depth
from flows.evaluate_samples import EvaluatedSamples, EvaluateSamplesSettings, evaluate_samples
from flows.outcome import Outcome, goal
from flows.train import Trained, TrainSettings, train
from model.settings import Settings
from tasks.engine.run_stage import RunSettings
from tasks.engine.schedule import call_flow
from tasks.store.blobs import Store
from tasks.store.versions import read_version


class RetrainSettings(Settings):
    """The dataset, the training profile and the folder of the trainings."""

    store: Path
    """Folder of the store."""
    name: str
    """Name of the dataset; its latest version is used."""
    profile: str = "small"
    """Training profile: small, demo, paper, or a JSON file with a profile."""
    out: Path
    """Folder for trainings; each version has a folder of its own below it, named by its root and the seed."""
    seed: NonNegativeInt = 0
    """Seed of initial weights, sample order and noise."""
    workers: PositiveInt = 2
    """Number of processes that cache pictures and latents; the results do not depend on it."""
    run: RunSettings = RunSettings()
    """Limits of time and memory for a clip."""


class Retrained(Outcome):
    """A training and its evaluation."""

    folder: Path
    """Folder of the training."""
    trained: Trained
    """Outcome of the training."""
    depth: EvaluatedDepth
    """Scores of depth."""
    samples: EvaluatedSamples
    """Scores of samples."""


@goal("retrain {settings.name}")
def retrain(settings: RetrainSettings) -> Retrained:
    """Train all stages on the latest version, then evaluate depth and samples. Finished stages are kept."""
    version = read_version(Store(settings.store), settings.name)
    folder = settings.out / f"{version.root[:12]}-seed{settings.seed}"
    common: dict[str, Any] = {
        "store": settings.store,
        "name": settings.name,
        "number": version.number,
        "workers": settings.workers,
    }
    trained = call_flow(
        train,
        TrainSettings(**common, profile=settings.profile, out=folder, seed=settings.seed, run=settings.run),
    )
    common |= {"model": folder / "pipeline", "out": folder / "eval"}
    return Retrained(
        folder=folder,
        trained=trained,
        depth=call_flow(evaluate_depth, EvaluateDepthSettings(**common)),
        samples=call_flow(evaluate_samples, EvaluateSamplesSettings(**common)),
    )
