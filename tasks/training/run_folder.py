"""The folder of a training: what it began with, and the networks of each finished stage.

training.json               dataset root, seed and profile: the same for all stages in the folder
vae/, prompt/               trained or pretrained
<stage>/run.json            written last: a stage is finished if and only if this file is there
<stage>/<network>/          written by save_pretrained, safetensors
<stage>/checkpoints/        where an interrupted stage continues
logs/<stage>/               TensorBoard
pipeline/, video_pipeline/  complete pipelines
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any, Self, get_args

from diffusers import DiffusionPipeline, ModelMixin

from model.settings import Record
from model.training.profiles import Profile, StageName
from tasks.stage import Json
from tasks.store.blobs import file_digest
from tasks.store.canonical import seal, unseal
from tasks.store.durable import make_folder, place, sync_file, sync_folder, write_temporary

ORIGIN = "training.json"
TOOLS = ("torch", "diffusers", "transformers", "accelerate", "numpy", "safetensors")
"""Libraries whose versions are recorded: other versions may give other bits."""


class TrainingFacts(Record):
    """What all stages of a folder share."""

    dataset: str
    """The dataset's name."""
    root: str
    """Merkle root of the dataset version."""
    seed: int
    """Seed of initial weights, sample order and noise."""
    profile: Profile
    """Sizes, stages and noise schedule."""

    def recorded(self) -> Json:
        """What the folder is bound to; a training may continue with other settings of the rest."""
        return {**self.model_dump(mode="json"), "profile": self.profile.recorded()}


class StageRecord(Record):
    """A finished stage (run.json)."""

    stage: StageName
    training: TrainingFacts
    steps: int
    """Optimizer steps done."""
    weights: dict[str, str]
    """File below the stage's folder -> sha256."""
    tools: dict[str, str]
    """Library -> version."""
    notices: tuple[str, ...]
    """What was untrained or synthetic, in sentences."""


class PipelineOrigin(Record):
    """What a saved pipeline was trained on (ORIGIN in its folder); the pipeline itself works without it."""

    dataset: str | None = None
    root: str | None = None
    """Merkle root of the dataset version."""
    stage: StageName | None = None
    steps: int | None = None
    """Optimizer steps of this stage."""
    seed: int | None = None
    notices: tuple[str, ...]
    """What was untrained or synthetic, in sentences."""

    @classmethod
    def of(cls, record: StageRecord) -> Self:
        """The origin that a finished stage records."""
        training = record.training
        return cls(
            dataset=training.dataset,
            root=training.root,
            stage=record.stage,
            steps=record.steps,
            seed=training.seed,
            notices=record.notices,
        )


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Paths in a training's folder, and reading and writing so that everything in it is whole or absent."""

    root: Path

    def stage(self, stage: StageName) -> Path:
        """The folder of one stage."""
        return self.root / stage

    def checkpoints(self, stage: StageName) -> Path:
        """The folder of a stage's checkpoints."""
        return self.stage(stage) / "checkpoints"

    @property
    def vae(self) -> Path:
        """The VAE's folder: what the autoencoder stage trained, or a copy of the pretrained one."""
        trained = self.stage("autoencoder") / "vae"
        return trained if trained.is_dir() else self.root / "vae"

    @property
    def prompt(self) -> Path:
        """The constant prompt's folder."""
        return self.root / "prompt"

    def begin(self, facts: TrainingFacts) -> None:
        """Record what the training is, or check that it is the same training.

        Raises:
            ValueError: the folder holds another training; names what differs.
        """
        make_folder(self.root)
        path = self.root / ORIGIN
        if not path.is_file():
            place(write_temporary(self.root, seal(facts.model_dump(mode="json"))), path)
            return
        held = TrainingFacts.model_validate(unseal(path.read_bytes()))
        if changes := _differences(held.recorded(), facts.recorded()):
            raise ValueError(f"{self.root} holds another training: {'; '.join(changes)}; take another --out")

    def record(self, stage: StageName) -> StageRecord | None:
        """The record of a finished stage; None while it is not finished."""
        path = self.stage(stage) / "run.json"
        return StageRecord.model_validate(unseal(path.read_bytes())) if path.is_file() else None

    def finished(self) -> dict[str, int]:
        """Finished stages in their order: name -> steps."""
        records = {stage: self.record(stage) for stage in get_args(StageName)}
        return {stage: record.steps for stage, record in records.items() if record is not None}

    def check_weights(self, stage: StageName) -> None:
        """Refuse networks that are not what a finished stage saved; an unfinished stage has nothing to check.

        Raises:
            ValueError: names the file.
        """
        record = self.record(stage)
        for name, digest in {} if record is None else record.weights.items():
            path = self.stage(stage) / name
            if not path.is_file() or file_digest(path) != digest:
                raise ValueError(
                    f"{path} is not what stage {stage} saved; put it back, or remove {self.stage(stage)} and "
                    "train that stage again"
                )

    def save_pipeline(self, name: str, pipeline: DiffusionPipeline, record: StageRecord) -> None:
        """Save a pipeline with its origin as a folder of this name."""

        def write(folder: Path) -> None:
            pipeline.save_pretrained(folder)
            (folder / ORIGIN).write_text(PipelineOrigin.of(record).model_dump_json(indent=2) + "\n")

        self.save(self.root / name, write)

    def finish(
        self,
        record: StageRecord,
        networks: Mapping[str, ModelMixin],
        *,
        also: Callable[[StageRecord], None] | None,
    ) -> StageRecord:
        """Save a stage's networks, call `also`, and write the record with the networks' digests last."""
        folder = self.stage(record.stage)
        make_folder(folder)
        weights: dict[str, str] = {}
        for name, network in networks.items():
            self.save(folder / name, network.save_pretrained)
            for path in sorted((folder / name).iterdir()):
                weights[f"{name}/{path.name}"] = file_digest(path)
        if also is not None:
            also(record)
        # run.json comes last: without it the stage is not finished
        done = record.model_copy(update={"weights": weights})
        place(write_temporary(folder, seal(done.model_dump(mode="json"))), folder / "run.json")
        return done

    def save(self, folder: Path, write: Callable[[Path], Any]) -> None:
        """Write a folder so that it is whole or absent whenever the program is killed."""
        unfinished, before = (folder.with_name(f".{word}-{folder.name}") for word in ("unfinished", "before"))
        for left in (unfinished, before):
            shutil.rmtree(left, ignore_errors=True)
        # written and synced beside its place, then put there by renames
        write(unfinished)
        for path in unfinished.rglob("config.json"):
            _forget_origin(path)
        for path in unfinished.rglob("*"):
            sync_folder(path) if path.is_dir() else sync_file(path)
        sync_folder(unfinished)
        if folder.is_dir():
            folder.rename(before)
        unfinished.rename(folder)
        sync_folder(folder.parent)
        shutil.rmtree(before, ignore_errors=True)


def _forget_origin(config: Path) -> None:
    """Remove the folder a network was loaded from, which libraries note: digests must not depend on it."""
    held: dict[str, Any] = json.loads(config.read_text())
    if held.pop("_name_or_path", None) is not None:
        config.write_text(json.dumps(held, indent=2, sort_keys=True) + "\n")


def tool_versions() -> dict[str, str]:
    """Versions of the libraries that the weights depend on."""
    return {name: installed(name) for name in TOOLS}


def _differences(held: Json, given: Json, path: str = "") -> list[str]:
    """The places where two JSON values differ, in words."""
    if isinstance(held, dict) and isinstance(given, dict):
        return [
            change
            for key in sorted(held.keys() | given.keys())
            for change in _differences(held.get(key), given.get(key), f"{path}.{key}".lstrip("."))
        ]
    return [] if held == given else [f"{path} is {json.dumps(held)}, now {json.dumps(given)}"]
