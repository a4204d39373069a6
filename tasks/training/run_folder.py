"""The folder of a training: what it was started with, and the networks of each finished stage.

training.json        dataset root, seed and profile: the same for all stages in the folder
vae/, prompt/        trained or pretrained
<stage>/run.json     written last: a stage is finished if and only if it is there
<stage>/<network>/   save_pretrained, safetensors
<stage>/checkpoints/ while it trains
logs/<stage>/        TensorBoard
pipeline/, video_pipeline/
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
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

BEFORE: Mapping[StageName, StageName] = {"inpaint": "joint", "motion": "joint"}
"""Stage -> the stage whose networks it starts from."""
ORIGIN = "training.json"
TOOLS = ("torch", "diffusers", "transformers", "accelerate", "numpy", "safetensors")
"""Their versions are recorded: other ones may give other bits."""


class TrainingFacts(Record):
    """What every stage of a folder shares."""

    dataset: str
    """The dataset's name."""
    root: str
    """Of its version."""
    seed: int
    """Of weights, order and noise."""
    profile: Profile
    """Everything else."""

    def recorded(self) -> Json:
        """What the folder is bound to: a training may be continued with other settings of the rest."""
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
    """What a saved pipeline was trained on (ORIGIN in its folder); a pipeline does without."""

    dataset: str | None = None
    root: str | None = None
    """Of the version."""
    stage: StageName | None = None
    steps: int | None = None
    """Of this stage."""
    seed: int | None = None
    notices: tuple[str, ...]
    """What was untrained or synthetic, in sentences."""

    @classmethod
    def of(cls, record: StageRecord) -> Self:
        """As a finished stage says it."""
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
    """Paths in a training's folder, and what has to be whole in it."""

    root: Path

    def stage(self, stage: StageName) -> Path:
        """A stage's own folder."""
        return self.root / stage

    def checkpoints(self, stage: StageName) -> Path:
        """Where it keeps its place."""
        return self.stage(stage) / "checkpoints"

    @property
    def vae(self) -> Path:
        """The VAE's folder: the autoencoder stage's, or a copy of the pretrained one."""
        trained = self.stage("autoencoder") / "vae"
        return trained if trained.is_dir() else self.root / "vae"

    @property
    def prompt(self) -> Path:
        """The constant prompt's folder."""
        return self.root / "prompt"

    def begin(self, facts: TrainingFacts) -> None:
        """Write down what the training is, or check that it is the same one.

        Raises:
            ValueError: the folder holds another training; names what differs.
        """
        make_folder(self.root)
        path = self.root / ORIGIN
        if not path.is_file():
            place(write_temporary(self.root, seal(facts.model_dump(mode="json"))), path)
            return
        held = TrainingFacts.model_validate(unseal(path.read_bytes()))
        if told := _differences(held.recorded(), facts.recorded()):
            raise ValueError(f"{self.root} holds another training: {'; '.join(told)}; take another --out")

    def record(self, stage: StageName) -> StageRecord | None:
        """The record of a finished stage; None while it is not."""
        path = self.stage(stage) / "run.json"
        return StageRecord.model_validate(unseal(path.read_bytes())) if path.is_file() else None

    def finished(self) -> dict[str, int]:
        """Finished stages in their order, with their steps."""
        records = {stage: self.record(stage) for stage in get_args(StageName)}
        return {stage: record.steps for stage, record in records.items() if record is not None}

    def check_order(self, stages: Sequence[StageName]) -> None:
        """Refuse to train stages whose start is missing.

        Raises:
            ValueError: a stage starts from one that is neither finished nor to be trained before it.
        """
        ready = set(self.finished())
        for stage in stages:
            before = BEFORE.get(stage)
            if before is not None and before not in ready:
                raise ValueError(
                    f"stage {stage} starts from stage {before}, which is not finished in {self.root}; "
                    f"run the same command with --stage {before} first"
                )
            ready.add(stage)

    def check_weights(self, stage: StageName) -> None:
        """Refuse to go on from networks that are not what a finished stage saved.

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
        """Save a pipeline and what it was trained on below the folder."""

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
        """Save a stage's networks and what `also` saves, then its record with the networks' digests."""
        folder = self.stage(record.stage)
        make_folder(folder)
        weights: dict[str, str] = {}
        for name, network in networks.items():
            self.save(folder / name, network.save_pretrained)
            for path in sorted((folder / name).iterdir()):
                weights[f"{name}/{path.name}"] = file_digest(path)
        if also is not None:
            also(record)
        done = record.model_copy(update={"weights": weights})
        place(write_temporary(folder, seal(done.model_dump(mode="json"))), folder / "run.json")
        return done

    def save(self, folder: Path, write: Callable[[Path], Any]) -> None:
        """Write a folder so that it is whole or not there; its stage is not finished before."""
        unfinished, before = (folder.with_name(f".{word}-{folder.name}") for word in ("unfinished", "before"))
        for left in (unfinished, before):
            shutil.rmtree(left, ignore_errors=True)
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
    """Libraries note the folder a network was loaded from: elsewhere the same one had another digest."""
    held: dict[str, Any] = json.loads(config.read_text())
    if held.pop("_name_or_path", None) is not None:
        config.write_text(json.dumps(held, indent=2, sort_keys=True) + "\n")


def tool_versions() -> dict[str, str]:
    """Of the libraries that the weights depend on."""
    return {name: installed(name) for name in TOOLS}


def _differences(held: Json, given: Json, path: str = "") -> list[str]:
    """Places where two JSON values differ, in words."""
    if isinstance(held, dict) and isinstance(given, dict):
        return [
            told
            for key in sorted(held.keys() | given.keys())
            for told in _differences(held.get(key), given.get(key), f"{path}.{key}".lstrip("."))
        ]
    return [] if held == given else [f"{path} is {json.dumps(held)}, now {json.dumps(given)}"]
