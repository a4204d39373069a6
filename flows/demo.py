"""The whole system on embedded data, offline, on two CPU cores."""

from __future__ import annotations

from pathlib import Path

from prefect import flow
from pydantic import PositiveInt

from flows.build_dataset import BuiltDataset, build_dataset
from flows.make_embedded_data import MakeEmbeddedDataSettings, make_embedded_data
from flows.outcome import Outcome, tell_outcome
from flows.retrain import RetrainSettings, retrain
from model.settings import Settings
from tasks.dataset.settings import BuildSettings
from tasks.engine.schedule import call_flow


class DemoSettings(Settings):
    """Where to."""

    out: Path = Path("demo")
    """Folder for data, store, training and reports; an interrupted demo continues there."""
    workers: PositiveInt = 2
    """Processes that build and encode."""


class Demonstrated(Outcome):
    """What to look at."""

    dataset: BuiltDataset
    trained: dict[str, int]
    """Stage -> steps."""
    rmse_over_mean_map: float
    """Error of depth from RGB on held-out people over that of the constant mean map."""
    report: Path
    """The dataset's; open it in a browser."""
    evaluation: Path
    """The model's page: depth, samples and a talking clip."""
    untrained: str
    """What in it is synthetic or untrained."""

    @property
    def exit_code(self) -> int:
        """The build's."""
        return self.dataset.exit_code


@flow(name="demo", flow_run_name="demo {settings.out}", persist_result=False, on_completion=[tell_outcome])
def demo(settings: DemoSettings) -> Demonstrated:
    """Embedded data -> a dataset version with its report -> VAE and three stages -> the evaluation's page."""
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
