"""The settings of a dataset build."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, NonNegativeInt, PositiveInt

from tasks.dataset.stage_settings import StageSettings
from tasks.engine.run_stage import RunSettings
from tasks.sources.scan import SourceSettings
from tasks.store.splits import SplitSettings


class BuildSettings(SourceSettings):
    """What to build from what; the defaults are the paper's where it states them."""

    store: Path
    """The store's folder; made if absent."""
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    """The dataset's name."""
    face_model: Path | None = None
    """Face model in the native format (build-face-model); None = the builtin head."""
    face_landmarker: Path | None = None
    """A face_landmarker.task file; None = the landmark model that mediapipe's wheel carries."""
    speech_model: str | None = None
    """wav2vec2: a local folder or a Hub id; None = a small untrained network, named so everywhere."""
    stages: StageSettings = StageSettings()
    """Settings of each stage; part of the keys."""
    splits: SplitSettings = SplitSettings()
    """Shares of validation and test subjects."""
    report_clips: NonNegativeInt = 24
    """Clips with pictures in report.html; 150 kB each at most."""
    workers: PositiveInt = 2
    """Shards worked on at once, each in a process of its own."""
    shard_clips: PositiveInt = 100
    """Most clips of a shard. A build of more than 12 such shards is divided into child flow runs."""
    retries: NonNegativeInt = 1
    """How often a task run that failed (a killed machine, a full disk) is tried again by Prefect."""
    run: RunSettings = RunSettings()
    """Limits of time and memory for each clip."""
