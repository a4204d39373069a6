"""Builds whose two stages only write words, so that a test can afford many of them, and kill some."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any
from unittest.mock import patch

from pydantic import BaseModel

from flows.build_dataset import build_dataset
from tasks.chain import Chain
from tasks.dataset.models import ModelFiles
from tasks.dataset.settings import BuildSettings, StageSettings
from tasks.engine import run_stage
from tasks.store.actions import Action
from tasks.store.blobs import Store
from tests.engine_stages import repeat as repeat_stage
from tests.engine_stages import spell as spell_stage
from tests.engine_stages.repeat import RepeatSettings
from tests.engine_stages.spell import SpellSettings

WORDS = Chain("wild", given=("source",), nodes=(spell_stage.NODE, repeat_stage.NODE))
NO_CAPTURES = Chain("studio", given=(), nodes=())
CLIPS = {f"clip_{number}": f"word{number}" for number in range(6)}

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["tests.simulated_build"])


def write_clips(folder: Path, orders: Mapping[str, str] = CLIPS) -> Path:
    """One source a name, with what the first stage is to do."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, order in orders.items():
        (folder / name).write_text(order)
    return folder


def simulated_settings(clips: Path, store: Path, **changes: Any) -> BuildSettings:
    given = {"clips": (clips,), "store": store, "name": "words", "workers": 2, "report_clips": 0}
    return BuildSettings.model_validate(given | changes)


@contextmanager
def simulated_stages(
    *, spell: SpellSettings | None = None, repeat: RepeatSettings | None = None
) -> Iterator[None]:
    """Every build in this block runs the two stages and needs no models."""
    settings: dict[str, BaseModel] = {
        "spell": spell or SpellSettings(),
        "repeat": repeat or RepeatSettings(),
    }
    no_models = ModelFiles(blobs={}, face_model="none", licences={})
    with ExitStack() as patches:
        patches.enter_context(patch("tasks.dag.WILD", WORDS))
        patches.enter_context(patch("tasks.dag.STUDIO", NO_CAPTURES))
        patches.enter_context(patch("tasks.dataset.build.store_models", lambda *_, **__: no_models))
        patches.enter_context(patch.object(StageSettings, "by_name", lambda _: settings))
        yield


class ChildBuild:
    """A simulated build in a process and process group of its own."""

    def __init__(self, settings: BuildSettings, told: Path, *, killed_before: int | None = None) -> None:
        self._told = told
        arguments = (settings.model_dump_json(), told, killed_before)
        self._process: BaseProcess = _processes.Process(target=_build, args=arguments, daemon=True)
        self._process.start()

    @property
    def recorded(self) -> list[str]:
        """Keys of the actions it recorded, in order."""
        return (self._told / "keys").read_text().split()

    def signal(self, number: signal.Signals) -> None:
        assert self._process.pid
        os.kill(self._process.pid, number)

    def end(self) -> int | None:
        """Wait; the exit status, or minus the signal."""
        self._process.join()
        return self._process.exitcode

    def outcome(self) -> dict[str, Any]:
        """Wait; what the build returned."""
        assert self.end() == 0
        told: dict[str, Any] = json.loads((self._told / "outcome.json").read_text())
        return told


def _build(settings: str, told: Path, killed_before: int | None) -> None:
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    told.mkdir(parents=True)
    (told / "keys").touch()
    recording = _recording(told / "keys", killed_before)
    with simulated_stages(), patch.object(run_stage, "record_action", recording):
        outcome = build_dataset.fn(BuildSettings.model_validate_json(settings))
    (told / "outcome.json").write_text(outcome.model_dump_json())


def _recording(keys: Path, killed_before: int | None) -> Callable[[Store, Action], str]:
    record, steps = run_stage.record_action, itertools.count()

    def recorded(store: Store, action: Action) -> str:
        if next(steps) == killed_before:
            os.killpg(0, signal.SIGKILL)
        key = record(store, action)
        with keys.open("a") as file:
            file.write(f"{key}\n")
        return key

    return recorded
