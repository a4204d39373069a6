"""What a report says beyond the manifest's rows: how the build went and what it was made with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from pydantic import JsonValue

from model.settings import Record

ClipFiles = Mapping[str, Path]
"""Local files of one published clip by role: source video, crop, landmarks, depth, face model ..."""

ClipFilesOf = Callable[[str], ClipFiles]
"""Clip id -> its files; asked only for the clips that are shown."""


class StageTiming(Record):
    """What one stage cost in this build."""

    stage: str
    """The stage's name."""
    clips: int
    """Clips that were computed, rejected ones included."""
    frames: int
    """Frames of these clips."""
    cpu_s: float
    """Processor seconds, over all workers and their children."""
    wall_s: float
    """Sum of the clips' own durations, seconds: more than the build's where workers run side by side."""
    reused: int
    """Clips taken from the store as they were."""


class VersionChange(Record):
    """This version against the previous one of the same name."""

    previous_root: str
    """Merkle root of the previous version."""
    previous_number: int
    """Its number."""
    added: int
    """Sources that it did not have."""
    removed: int
    """Sources that it alone has."""
    changed: int
    """Sources whose row differs."""
    unchanged: int
    """Sources whose row is the same."""


class SourceFacts(Record):
    """One folder or list that the sources come from."""

    label: str
    """Name in words, for example "embedded clips" or "HDTF"."""
    kind: Literal["wild", "studio"]
    """Talking-head clips, or studio captures."""
    synthetic: bool
    """Rendered by the project, not filmed."""
    licence: str
    """Terms of the source, "unknown" where nobody stated them."""


class BuildFacts(Record):
    """One build of one dataset version."""

    name: str
    """Name of the dataset."""
    root: str
    """Merkle root of the version, hex."""
    number: int
    """Versions under this name are counted from 1."""
    change: VersionChange | None
    """The previous version and the difference to it; None for the first one."""
    sources: tuple[SourceFacts, ...]
    """Where the rows come from."""
    settings: Mapping[str, JsonValue]
    """The settings of the build that its output depends on."""
    tools: Mapping[str, str]
    """Version by name of each tool and library in the keys."""
    licences: Mapping[str, str]
    """Licence by name of face models, networks and tools."""
    rejected_at: Mapping[str, str]
    """Stage that refused a source, by clip id; a row not named here takes its reason's usual stage."""
    timings: tuple[StageTiming, ...]
    """Cost of each stage, in order."""
