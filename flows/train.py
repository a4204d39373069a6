"""Train the stages of the paper on a dataset version (paper 5.1, 7.2)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import NonNegativeInt, PositiveInt

from flows.outcome import Outcome, goal
from model.settings import Settings
from model.training.profiles import StageName
from tasks.dataset.encode_version import EncodingSettings
from tasks.engine.run_stage import RunSettings
from tasks.engine.schedule import Schedule, flow_log
from tasks.progress import StageProgress
from tasks.training.open_training import open_training
from tasks.training.processes import processes
from tasks.training.stages import check_order
from tasks.training.train_stage import train_stage


class TrainSettings(Settings):
    """What is trained, on which data, and where the result goes."""

    stage: StageName | Literal["all"] = "all"
    """Stage to train, or all of them in order; inpaint and motion start from joint."""
    store: Path
    """Folder of the store."""
    name: str
    """Name of the dataset."""
    number: PositiveInt | None = None
    """Number of the dataset version; default: the latest."""
    profile: str = "small"
    """Profile: small, demo or paper, or the path of a JSON file."""
    out: Path
    """Folder for checkpoints, networks, logs and pipelines; an interrupted training continues there."""
    seed: NonNegativeInt = 0
    """Seed of initial weights, sample order and noise."""
    workers: PositiveInt = 2
    """Processes that cache pictures and latents; results do not depend on it."""
    run: RunSettings = RunSettings()
    """Limits of time and memory for each clip that is cached."""


class Trained(Outcome):
    """What the training folder holds now."""

    stages: dict[str, int]
    """Finished stage -> its steps."""
    changed: bool
    """False: all of the stages were finished before."""
    root: str
    """Merkle root of the dataset version."""
    out: Path
    """Folder of the training."""
    notices: tuple[str, ...]
    """What is untrained or synthetic, in sentences."""


def silence(text: str) -> None:
    """Log nothing: of several processes only the main one speaks."""


@goal("train {settings.stage} on {settings.name}")
def train(settings: TrainSettings) -> Trained:
    """Train the stages of tasks/training/stages.py on a dataset version, one task run each, in order.

    autoencoder (where the profile has no pretrained VAE) -> joint -> inpaint -> motion

    Inpaint and motion both start from the networks of joint. A finished stage is not trained again.
    """
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
        check_order(stages, folder=training.folder)
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
