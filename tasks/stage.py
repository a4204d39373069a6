"""What a stage of the data DAG is: a record that names everything its output depends on.

A stage function reads input blobs and settings, writes its outputs into a scratch folder and returns
their names with a few figures. It raises Rejected for a bad source. It never sees the store, other
clips or the clock, so that its action key (tasks/store) says all that its output depends on. Where a
stage stands in the DAG, and which roles it takes and gives there, is written in tasks/dag.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

Json = Any
"""str, int, float, bool, None, or lists and dicts of them."""

S = TypeVar("S", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class StageInput:
    """What one clip brings to a stage."""

    blobs: Mapping[str, Path]
    """Verified local files by role, for example {"video": ..., "landmarks": ...}."""
    values: Mapping[str, Json]
    """Small inputs that are part of the key, for example {"focal_px": 1100.0}."""
    scratch: Path
    """An empty folder of this clip's own; outputs are written here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageOutput:
    """What a stage gives back for one clip."""

    files: Mapping[str, Path]
    """Files in the scratch folder by role; they become blobs."""
    values: Mapping[str, Json]
    """Figures for later stages and the manifest row; JSON, deterministic (no times, no paths)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage(Generic[S]):
    """The code of one stage: its name, its version and all that its output depends on besides its inputs."""

    name: str
    version: int
    """Bump when the output changes for the same inputs; say so in CHANGELOG.md."""
    run: Callable[[StageInput, S], StageOutput]
    settings_type: type[S]
    tools: tuple[str, ...]
    """Names of distributions and programs whose version is part of the key ("ffmpeg", "mediapipe")."""
    modules: tuple[str, ...] = ()
    """Modules whose source text is part of the key although no import statement leads to them. The modules
    that are imported, directly or indirectly, are found by tasks/store/reached_modules.py."""


@cache
def load_stage(module: str) -> Stage[Any]:
    """The constant STAGE of a module; importing it may load a decoder, a detector or torch."""
    stage = import_module(module).STAGE
    assert isinstance(stage, Stage), f"{module}.STAGE is no Stage"
    return stage
