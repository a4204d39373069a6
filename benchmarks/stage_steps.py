"""Optimizer steps of the three stages by the trainer, at a profile's size, with random weights and latents.

python -m benchmarks.stage_steps [--profile paper] [--at-once 8] [--recompute]

With `paper` these are Stable Diffusion 1.5's networks at 512 px in bf16, which takes a GPU; without one it is
skipped with a word. The paper trains the joint stage at 8.64 s a step of 32 on four 4090s (30,000 steps in
three days). Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import torch
from torch.utils.data import Dataset

from model.samples.sample_order import Draw, MixSettings, SampleOrder
from model.samples.training_set import Sample
from model.training.profiles import DiffusionStage, Profile, find_profile
from model.training.trainer import train
from model.training.trainer_settings import TrainerSettings
from model.training.untrained import Shapes
from tasks.training.stages import find_stage
from tasks.training.training_stage import TrainingStage

PAPER_GPU_SECONDS = 3 * 24 * 3600 * 4 / 30_000
"""Of a joint step of 32 samples: three days on four GPUs."""
FIRST = 2
"""Steps that only warm up."""


class RandomLatents(Dataset[Sample]):
    """Random samples of one size."""

    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes

    def __getitem__(self, draw: Draw) -> Sample:
        """The sample that a draw stands for."""
        generator = draw.generator()
        tensors = {name: torch.randn(shape, generator=generator) for name, shape in self._shapes.items()}
        return {**tensors, "seed": torch.tensor(draw.seed >> 1)}


class Clock:
    """A model.training.trainer.TrainerCallback that stops a run after enough steps."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._ends: list[float] = []

    def on_step(self, step: int, losses: Mapping[str, float]) -> None:
        """Its losses were read, so the device is through with it."""
        del losses
        self._ends.append(time.perf_counter())
        if step == self._steps:
            raise EnoughError

    def on_validation(self, step: int, networks: Mapping[str, Any]) -> None:
        """There is none."""

    def seconds(self) -> float:
        """Of the median step."""
        ends = self._ends[FIRST - 1 :]
        return statistics.median(after - before for before, after in pairwise(ends))


class EnoughError(Exception):
    """All steps that count are done; a checkpoint would cost minutes."""


def measure(stage: TrainingStage, profile: Profile, options: argparse.Namespace) -> dict[str, Any]:
    """Seconds of a step and the peak of memory."""
    chosen: TrainerSettings = profile.trainer(stage.name)
    at_once = min(options.at_once, chosen.global_batch)
    steps = FIRST + options.rounds
    settings = chosen.model_copy(
        update={
            "accumulation": chosen.global_batch // at_once,
            "gradient_checkpointing": options.recompute,
            "checkpoint_every": steps + 1,
            "validate_every": None,
            "log_every": 1,
            "loader_workers": 0,
        }
    )
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    clock = Clock(steps)
    order = SampleOrder(root="random", seed=0, studio=[], wild=[0], mix=MixSettings())
    with tempfile.TemporaryDirectory() as folder, suppress(EnoughError):
        train(
            stage.untrained_step(profile),
            data=RandomLatents(stage.sample_shapes(profile)),
            order=order,
            settings=settings,
            folder=Path(folder),
            callback=clock,
        )
    return {
        f"{stage.name}_step_s": float(f"{clock.seconds():.4g}"),
        f"{stage.name}_samples": chosen.global_batch,
        f"{stage.name}_at_once": at_once,
        f"{stage.name}_peak_gb": round(peak_bytes() / 1e9, 2),
    }


def peak_bytes() -> int:
    """Of the GPU, or of this process where there is none."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", default="paper", help="a name or a JSON file")
    parser.add_argument("--at-once", type=int, default=8, help="samples in one pass; the rest is accumulated")
    parser.add_argument("--recompute", action="store_true", help="gradient checkpointing")
    parser.add_argument("--rounds", type=int, default=5, help="steps that count")
    options = parser.parse_args()
    profile = find_profile(options.profile)
    told: dict[str, Any] = {"benchmark": "stage_steps", "profile": options.profile}
    if profile.encode_on == "cuda" and not torch.cuda.is_available():
        print(json.dumps({**told, "skipped": "this profile takes a GPU; --profile small does not"}))
        return
    told["device"] = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    for stage in get_args(DiffusionStage):
        told |= measure(find_stage(stage), profile, options)
    if options.profile == "paper":
        told["joint_paper_gpu_seconds_over_own"] = round(PAPER_GPU_SECONDS / told["joint_step_s"], 2)
    print(json.dumps(told))


if __name__ == "__main__":
    main()
