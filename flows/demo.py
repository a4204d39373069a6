"""Run the whole system on embedded data, offline, on two CPU cores."""

from __future__ import annotations

from pathlib import Path

from pydantic import PositiveInt

from flows.build_dataset import BuiltDataset, build_dataset
from flows.make_embedded_data import MakeEmbeddedDataSettings, make_embedded_data
from flows.outcome import Outcome, goal
from flows.retrain import RetrainSettings, retrain
from model.settings import Settings
from tasks.dataset.settings import BuildSettings
from tasks.engine.schedule import call_flow


class DemoSettings(Settings):
    """Where the demo writes, and how many processes it uses."""

    out: Path = Path("demo")
    """Folder for data, store, training and reports; an interrupted demo continues there."""
    workers: PositiveInt = 2
    """Processes that build and encode."""


class Demonstrated(Outcome):
    """The pages to open, and the figures in them."""

    dataset: BuiltDataset
    trained: dict[str, int]
    """Steps of each training stage."""
    rmse_over_mean_map: float
    """RMSE of image to depth on held-out people, divided by the RMSE of the constant mean depth map."""
    report: Path
    """Page of the dataset version; open it in a browser."""
    evaluation: Path
    """Page of the model: depth, samples and a talking clip."""
    untrained: str
    """What in the demo is synthetic or untrained."""

    @property
    def exit_code(self) -> int:
        """The build's."""
        return self.dataset.exit_code


@goal("demo {settings.out}")
def demo(settings: DemoSettings) -> Demonstrated:
    """Make embedded data, build a dataset version, train the VAE and three stages, and evaluate the model."""
    data = call_flow(make_embedded_data, MakeEmbeddedDataSettings(out=settings.out / "sources"))
    build = BuildSettings(
        clips=(data.clips,),
        studio=(data.studio,),
        store=settings.out / "store",
        name="demo",
        workers=settings.workers,
    )
    dataset = call_flow(build_dataset, build)
    retrained = call_flow(
        retrain,
        RetrainSettings(
            store=dataset.store,
            name=dataset.name,
            profile="demo",
            out=settings.out / "training",
            workers=settings.workers,
        ),
    )
    return Demonstrated(
        dataset=dataset,
        trained=retrained.trained.stages,
        rmse_over_mean_map=retrained.depth.rmse_over_mean_map,
        report=dataset.store / "datasets" / dataset.name / dataset.version[:12] / "report.html",
        evaluation=retrained.samples.report.resolve(),
        untrained="synthetic speakers and studio, one photograph; builtin face model; untrained wav2vec2; "
        "small networks trained from nothing for minutes: pictures look better after profile small",
    )
