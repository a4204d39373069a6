"""Train on the newest version of a dataset and evaluate the model: what a schedule runs after a rebuild."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow
from pydantic import NonNegativeInt, PositiveInt

from flows.evaluate_depth import EvaluatedDepth, EvaluateDepthSettings, evaluate_depth
from flows.evaluate_samples import EvaluatedSamples, EvaluateSamplesSettings, evaluate_samples
from flows.outcome import Outcome, tell_outcome
from flows.train import Trained, TrainSettings, train
from model.settings import Settings
from tasks.engine.run_stage import RunSettings
from tasks.engine.schedule import call_flow
from tasks.store.blobs import Store
from tasks.store.versions import read_version


class RetrainSettings(Settings):
    """What is trained, on what, where to."""

    store: Path
    """The store's folder."""
    name: str
    """The dataset's name; its latest version is taken."""
    profile: str = "small"
    """small, demo or paper, or a JSON file with a profile."""
    out: Path
    """Folder for trainings; each version gets one below it, named by its root, and no other is touched."""
    seed: NonNegativeInt = 0
    """Of weights, order and noise."""
    workers: PositiveInt = 2
    """Processes that cache pictures and latents; it changes no result."""
    run: RunSettings = RunSettings()
    """Their limits of time and memory for a clip."""


class Retrained(Outcome):
    """The training and its evaluation."""

    folder: Path
    """Of this version's training."""
    trained: Trained
    depth: EvaluatedDepth
    samples: EvaluatedSamples


@flow(
    name="retrain",
    flow_run_name="retrain {settings.name}",
    persist_result=False,
    on_completion=[tell_outcome],
)
def retrain(settings: RetrainSettings) -> Retrained:
    """All stages on the latest version, then depth and samples; what is finished is not done again."""
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
