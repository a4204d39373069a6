"""Facts of a report that are not in the manifest: how the build went, and what it was built with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from pydantic import JsonValue

from model.settings import Record

ClipFiles = Mapping[str, Path]
"""Local files of one published clip by role: source video, crop, landmarks, depth, face model ..."""

ClipFilesOf = Callable[[str], ClipFiles]
"""Returns the files of a clip by its id; called only for clips that are shown."""


class StageTiming(Record):
    """What one stage cost in this build."""

    stage: str
    """Name of the stage."""
    clips: int
    """Clips that were computed, including those that were rejected."""
    frames: int
    """Frames of the computed clips."""
    cpu_s: float
    """Processor seconds, over all workers and their children."""
    wall_s: float
    """Sum of the durations of all clips, s; larger than that of the build if workers ran in parallel."""
    reused: int
    """Clips whose result was found in the store."""


class VersionChange(Record):
    """Difference between this version and the previous version of the same name."""

    previous_root: str
    """Merkle root of the previous version."""
    previous_number: int
    """Number of the previous version."""
    added: int
    """Sources that only this version has."""
    removed: int
    """Sources that only the previous version has."""
    changed: int
    """Sources that both have, with different rows."""
    unchanged: int
    """Sources that both have, with the same row."""


class SourceFacts(Record):
    """One folder or list that the sources come from."""

    label: str
    """Name in words, for example "embedded clips" or "HDTF"."""
    kind: Literal["wild", "studio"]
    """Kind of source: talking-head clips, or studio captures."""
    synthetic: bool
    """True if the pictures were rendered, not filmed."""
    licence: str
    """Licence of the source; "unknown" if none is stated."""


class BuildFacts(Record):
    """Facts about the build of a dataset version."""

    name: str
    """Name of the dataset."""
    root: str
    """Merkle root of the version, hexadecimal."""
    number: int
    """Number of the version; versions of a name are counted from 1."""
    change: VersionChange | None
    """Difference to the previous version; None for the first version."""
    sources: tuple[SourceFacts, ...]
    """Folders and lists that the rows come from."""
    settings: Mapping[str, JsonValue]
    """The settings of the build that its output depends on."""
    tools: Mapping[str, str]
    """Version by name of each tool and library in the keys."""
    licences: Mapping[str, str]
    """Licence by name of face models, networks and tools."""
    rejected_at: Mapping[str, str]
    """Stage that refused a source, by clip id; for other rows the usual stage of the reason is taken."""
    timings: tuple[StageTiming, ...]
    """Cost of each stage, in order."""
