"""One stage of training on a dataset version, or all of them (paper 5.1, 7.2)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from prefect import flow
from pydantic import NonNegativeInt, PositiveInt

from flows.outcome import Outcome, tell_outcome
from model.settings import Settings
from model.training.profiles import StageName
from tasks.dataset.encode_version import EncodingSettings
from tasks.engine.run_stage import RunSettings
from tasks.engine.schedule import Schedule, flow_log
from tasks.progress import StageProgress
from tasks.training.open_training import open_training
from tasks.training.processes import processes
from tasks.training.train_stage import train_stage


class TrainSettings(Settings):
    """What is trained, on what, where to."""

    stage: StageName | Literal["all"] = "all"
    """Stage to train; inpaint and motion start from joint. All = one after the other."""
    store: Path
    """The store's folder."""
    name: str
    """The dataset's name."""
    number: PositiveInt | None = None
    """Of its version; the latest where none is given."""
    profile: str = "small"
    """small, demo or paper, or a JSON file with a profile."""
    out: Path
    """Folder for checkpoints, networks, logs and pipelines; an interrupted training continues there."""
    seed: NonNegativeInt = 0
    """Of weights, order and noise."""
    workers: PositiveInt = 2
    """Processes that cache pictures and latents; it changes no result."""
    run: RunSettings = RunSettings()
    """Their limits of time and memory for a clip."""


class Trained(Outcome):
    """What there is now."""

    stages: dict[str, int]
    """Finished stage -> its steps."""
    changed: bool
    """False: all of them were finished before."""
    root: str
    """Of the version that was trained on."""
    out: Path
    notices: tuple[str, ...]
    """What is untrained or synthetic in it."""


def silence(text: str) -> None:
    """What all but the first of several processes tell."""


@flow(
    name="train",
    flow_run_name="train {settings.stage} on {settings.name}",
    persist_result=False,
    on_completion=[tell_outcome],
)
def train(settings: TrainSettings) -> Trained:
    """VAE where there is no pretrained one, then joint, inpaint and motion stage."""
    with (
        StageProgress(log=flow_log() if processes().is_main_process else silence) as progress,
        open_training(
            store=settings.store,
            name=settings.name,
            number=settings.number,
            profile=settings.profile,
            out=settings.out,
            seed=settings.seed,
            encoding=EncodingSettings(workers=settings.workers, run=settings.run),
            progress=progress,
        ) as training,
    ):
        stages, before = training.profile.stages(settings.stage), training.folder.finished()
        training.folder.check_order(stages)
        schedule = Schedule(1)
        for stage in stages:
            if stage in before:
                progress.say(f"stage {stage} is finished already")
            else:
                schedule.submit(train_stage, stage, training).result()
        schedule.close()
        finished = training.folder.finished()
        return Trained(
            stages=finished,
            changed=finished != before,
            root=training.facts.root,
            out=settings.out,
            notices=training.notices,
        )
