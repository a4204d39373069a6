"""What a stage of the data DAG is: a record that names everything its output depends on.

A stage function reads input blobs and settings, writes its outputs into a scratch folder and returns
their names with a few figures. It raises Rejected for a bad source. It never sees the store, other
clips or the clock, so that its action key (tasks/store) says all that its output depends on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

Json = Any
"""str, int, float, bool, None, or lists and dicts of them."""


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
class Stage:
    """One stage: its name, its version and all that its output depends on."""

    name: str
    version: int
    """Bump when the output changes for the same inputs; say so in CHANGELOG.md."""
    run: Callable[[StageInput, BaseModel], StageOutput]
    settings_type: type[BaseModel]
    tools: tuple[str, ...]
    """Names of distributions and programs whose version is part of the key ("ffmpeg", "mediapipe")."""
    inputs: tuple[str, ...]
    """Roles of the blobs it reads, "image/*" for all of a kind; a clip that lacks one (speech without sound)
    skips the stage."""
    outputs: tuple[str, ...]
    """Roles of the files it may write."""
    modules: tuple[str, ...] = ()
    """Modules whose source text is part of the key besides those that `run`'s module imports, which are
    found by themselves (tasks/store/reached_modules.py)."""
    optional_inputs: tuple[str, ...] = ()
    """Roles it reads where the clip has them."""
    reads: tuple[str, ...] = ()
    """Names of the values it reads where the clip has them; they are part of the key."""
    per_video: bool = False
    """Runs once for all clips of a source video. Its blobs are then called "<role>/<index>" and its
    values {"clips": [the values of each clip]}; what it returns goes to every clip."""
