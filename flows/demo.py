"""The whole system on embedded data, offline, on two CPU cores."""

from __future__ import annotations

from pathlib import Path

from prefect import flow
from pydantic import BaseModel, PositiveInt

from flows.build_dataset import BuiltDataset, build_dataset
from flows.make_embedded_data import MakeEmbeddedDataSettings, make_embedded_data
from flows.outcome import Outcome, tell_outcome
from tasks.build.settings import BuildSettings
from tasks.engine.schedule import call_flow


class DemoSettings(BaseModel, frozen=True, extra="forbid", use_attribute_docstrings=True):
    """Where to."""

    out: Path = Path("demo")
    """Folder for the embedded data, the store and the report; an interrupted demo continues there."""
    workers: PositiveInt = 2
    """Shards worked on at once."""


class Demonstrated(Outcome, frozen=True):
    """What to look at."""

    dataset: BuiltDataset
    report: Path
    """Open it in a browser."""
    untrained: str
    """What in it is synthetic or untrained."""

    @property
    def exit_code(self) -> int:
        """The build's."""
        return self.dataset.exit_code


@flow(name="demo", flow_run_name="demo {settings.out}", persist_result=False, on_completion=[tell_outcome])
def demo(settings: DemoSettings) -> Demonstrated:
    """Embedded data -> a dataset version with its report."""
    data = call_flow(make_embedded_data, MakeEmbeddedDataSettings(out=settings.out / "sources"))
    build = BuildSettings(
        clips=(data.clips,),
        studio=(data.studio,),
        store=settings.out / "store",
        name="demo",
        workers=settings.workers,
    )
    dataset = call_flow(build_dataset, build)
    return Demonstrated(
        dataset=dataset,
        report=dataset.store / "datasets" / dataset.name / dataset.version[:12] / "report.html",
        untrained="synthetic speakers and studio, one photograph; builtin face model; untrained wav2vec2",
    )
