"""The training loop of every stage: what differs between stages is the step and the settings."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from accelerate import Accelerator
from accelerate.utils import GradientAccumulationPlugin
from diffusers import ModelMixin
from torch import nn
from torch.utils.data import DataLoader, Dataset

from model.samples.sample_order import ProcessBatches, SampleOrder
from model.samples.training_set import Sample
from model.training import accelerate_hooks
from model.training.checkpoint import Checkpoint, newest_checkpoint, tidy_checkpoints, write_checkpoint
from model.training.learner import Learner
from model.training.loss_log import LossLog
from model.training.trainer_settings import SHARING, TrainerSettings, learning_rate

logger = logging.getLogger(__name__)


class TrainerCallback(Protocol):
    """Follows a run; called in the main process alone."""

    def on_step(self, step: int, losses: Mapping[str, float]) -> None:
        """Every log_every steps: means since the last call, by name ("loss/rgb", "learning_rate", ...)."""
        ...

    def on_validation(self, step: int, networks: Mapping[str, ModelMixin]) -> None:
        """Every validate_every steps: the networks with averaged weights, in eval mode, without gradients."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingResult:
    """A finished run; its step holds the averaged weights, or the last ones where there is no average."""

    steps: int
    """Steps of the whole run."""
    resumed_at: int
    """Steps done before this call; equal to `steps` where nothing was left to do."""
    checkpoint: Path
    """The last checkpoint."""


def train(
    step: nn.Module,
    *,
    data: Dataset[Sample],
    order: SampleOrder,
    settings: TrainerSettings,
    folder: Path,
    callback: TrainerCallback,
    facts: Mapping[str, Any] | None = None,
) -> TrainingResult:
    """Train a step's networks, from the newest checkpoint in `folder` where there is one.

    A run that was interrupted and resumed ends with the weights of one that was not, to the bit on a CPU.

    Args:
        step: networks and loss; `forward(batch) -> StepLoss`, `networks()`.
        data: draw -> sample.
        order: position -> draw.
        settings: of the training loop.
        folder: for checkpoints.
        callback: gets losses and networks to show.
        facts: JSON: what else the result depends on (dataset root, seed, the stage's settings, initial
            weights). A resumed run must have the same.

    Raises:
        ValueError: settings that cannot work, or that differ from those of the checkpoint.
        NotFiniteError: a loss or gradient was NaN or infinite.
    """
    accelerator = _accelerator(settings)
    recorded = _recorded(step, order=order, settings=settings, facts=facts or {})
    cut = {"accumulation": settings.accumulation, "processes": accelerator.num_processes}
    found = _newest_of_this_run(folder, recorded=recorded, cut=cut)
    accelerator.wait_for_everyone()  # all have read before anything is removed
    if found is not None and accelerator.is_main_process:
        tidy_checkpoints(folder, newest=found.step, keep=settings.keep)
    first, path = (0, folder) if found is None else (found.step, found.path)
    with _threads(settings.threads):
        learner, log = Learner(step, settings=settings, accelerator=accelerator), LossLog()
        if found is not None:
            learner.restore(found, found.facts["numbers"])
            log.sums.update(found.facts["log"])
        run = _Run(learner=learner, log=log, settings=settings, accelerator=accelerator, callback=callback)
        batches = _batches(data, order, first=first, settings=settings, accelerator=accelerator)
        for number, batch in enumerate(batches, start=first + 1):
            log.add(*learner.learn(batch, number=number, order=order))
            run.report(number)
            if number % settings.checkpoint_every == 0 or number == settings.steps:
                path = run.save(number, folder=folder, facts={"recorded": recorded, "cut": cut})
        learner.finish()
    return TrainingResult(steps=settings.steps, resumed_at=first, checkpoint=path)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """What a run does beside learning: report and save."""

    learner: Learner
    log: LossLog
    settings: TrainerSettings
    accelerator: Accelerator
    callback: TrainerCallback

    def report(self, number: int) -> None:
        """Report what is due after a step."""
        settings, main = self.settings, self.accelerator.is_main_process
        if number % settings.log_every == 0 or number == settings.steps:
            means = self.log.take() | {"learning_rate": learning_rate(settings, number)}
            if main:
                self.callback.on_step(number, means)
        if settings.validate_every is not None and number % settings.validate_every == 0:
            with self.learner.averaged() as networks:
                if main:
                    self.callback.on_validation(number, networks)
            self.accelerator.wait_for_everyone()

    def save(self, number: int, *, folder: Path, facts: Mapping[str, Any]) -> Path:
        """Write a checkpoint, in the main process."""
        if self.accelerator.is_main_process or self.learner.gathers:
            files, numbers = self.learner.state()
        if self.accelerator.is_main_process:
            write_checkpoint(
                folder,
                step=number,
                files=files,
                facts={**facts, "numbers": numbers, "log": self.log.sums},
                keep=self.settings.keep,
            )
        self.accelerator.wait_for_everyone()
        return folder / f"{number:08d}"


def _accelerator(settings: TrainerSettings) -> Accelerator:
    """An accelerator for this run alone."""
    accelerate_hooks.forget_last_run()
    accelerator = Accelerator(
        mixed_precision=settings.mixed_precision,
        gradient_accumulation_plugin=GradientAccumulationPlugin(
            num_steps=settings.accumulation, sync_with_dataloader=False
        ),
    )
    kind = accelerator.distributed_type.value
    if kind not in ("NO", "MULTI_CPU", "MULTI_GPU"):
        raise ValueError(
            f"accelerate was launched with {kind}; launch it with --multi_gpu or --cpu and the setting "
            "sharding=gradients, which does what ZeRO-2 does"
        )
    if settings.mixed_precision == "fp16" and accelerator.device.type == "cpu":
        raise ValueError("mixed_precision fp16 needs a GPU; take bf16 or no")
    if settings.sharding != "none" and accelerator.num_processes == 1:
        raise ValueError(
            f"sharding {settings.sharding!r} needs several processes, this is one; use accelerate launch"
        )
    settings.check_batch(processes=accelerator.num_processes)
    return accelerator


def _batches(
    data: Dataset[Sample],
    order: SampleOrder,
    *,
    first: int,
    settings: TrainerSettings,
    accelerator: Accelerator,
) -> Iterator[Sample]:
    """This process's share of each global batch, from batch `first` on."""
    shares = ProcessBatches(
        order,
        global_batch=settings.global_batch,
        first=first,
        count=settings.steps - first,
        process=accelerator.process_index,
        processes=accelerator.num_processes,
    )
    loader = DataLoader(
        data,
        batch_sampler=shares,
        num_workers=settings.loader_workers,
        # a fork would copy locks that the threads of torch and Prefect hold
        multiprocessing_context="spawn" if settings.loader_workers else None,
        pin_memory=accelerator.device.type == "cuda",
    )
    return iter(loader)


def _recorded(
    step: nn.Module, *, order: SampleOrder, settings: TrainerSettings, facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Everything that a resumed run must share with the run before it."""
    return {
        **facts,
        **settings.recorded(),
        # the first draws stand for the whole order: they follow from root, seed, clips and mix
        "sample order": [[draw.clip, draw.seed] for draw in order.batch(0, size=8)],
        "trained parameters": _shapes(step),
        "frozen weights": _frozen_digest(step),
    }


def _newest_of_this_run(
    folder: Path, *, recorded: Mapping[str, Any], cut: Mapping[str, int]
) -> Checkpoint | None:
    """The checkpoint to continue from; None where there is none.

    Raises:
        ValueError: the checkpoint belongs to another run; names what differs.
    """
    found = newest_checkpoint(folder)
    if found is None:
        return None
    before: dict[str, Any] = found.facts["recorded"]
    differing = [
        f"{name} was {before.get(name)}, is {recorded.get(name)}"
        for name in sorted(before.keys() | recorded.keys())
        if before.get(name) != recorded.get(name)
    ]
    if differing:
        raise ValueError(
            f"{found.path} belongs to a run with other settings: {'; '.join(differing)}; "
            "set them back, or train in an empty folder"
        )
    for name in sorted(SHARING):
        if found.facts["cut"][name] != cut[name]:
            logger.warning(
                "%s was %d, is %d: the same samples, but the last bits of sums will differ",
                name,
                found.facts["cut"][name],
                cut[name],
            )
    return found


def _shapes(step: nn.Module) -> str:
    """Digest of the names and shapes of the trained parameters."""
    shapes = [f"{name} {tuple(held.shape)}" for name, held in step.named_parameters() if held.requires_grad]
    return hashlib.sha256("\n".join(shapes).encode()).hexdigest()[:16]


def _frozen_digest(step: nn.Module) -> str:
    """Digest of the frozen weights: training reads them, and no checkpoint holds them."""
    digest = hashlib.sha256()
    for name, held in step.named_parameters():
        if not held.requires_grad:
            digest.update(name.encode())
            digest.update(held.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
