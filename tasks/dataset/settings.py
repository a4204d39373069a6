"""The settings of a dataset build, and of each of its stages.

Reading them loads no decoder, detector, compiler or torch: a rebuild with nothing to do stays quick.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field, NonNegativeInt, PositiveInt

from model.settings import Settings
from rendering.fitting.settings import FitSettings, FocalSettings
from tasks.engine.run_stage import RunSettings
from tasks.media.check_media import ProbeSettings
from tasks.sources.scan import SourceSettings
from tasks.stages.crop_clip import CropSettings
from tasks.stages.cut_sound import SoundSettings
from tasks.stages.depth_settings import DepthSettings
from tasks.stages.detect_landmarks import LandmarkSettings
from tasks.stages.extract_speech import SpeechSettings
from tasks.stages.pack_pictures import PackSettings
from tasks.stages.resample_media import ResampleSettings
from tasks.stages.undistort_capture import UndistortSettings
from tasks.store.splits import SplitSettings


class StageSettings(Settings):
    """Settings of each stage. All of them are part of the key of their stage."""

    pack: PackSettings = PackSettings()
    """How folders of numbered pictures become 25 fps video."""
    probe: ProbeSettings = ProbeSettings()
    """Which source files are accepted."""
    resample: ResampleSettings = ResampleSettings()
    """How pictures and sound are resampled to 25 fps and 16 kHz."""
    landmarks: LandmarkSettings = LandmarkSettings()
    """Which faces and frames are usable, and how landmarks are found."""
    crop: CropSettings = CropSettings()
    """How the square around the face is chosen."""
    focal: FocalSettings = FocalSettings()
    """How the focal length of a source video is estimated."""
    fit: FitSettings = FitSettings()
    """How identity, expression and pose are fitted."""
    sound: SoundSettings = SoundSettings()
    """How the sound of the published part is cut."""
    depth: DepthSettings = DepthSettings()
    """How depth and skin mask are rendered."""
    speech: SpeechSettings = SpeechSettings()
    """How speech features are computed."""
    undistort: UndistortSettings = UndistortSettings()
    """How studio pictures become pinhole crops."""

    def by_name(self) -> dict[str, BaseModel]:
        """Return the settings by name of the stage."""
        return {name: getattr(self, name) for name in type(self).model_fields}


class BuildSettings(SourceSettings):
    """What to build, and from which sources. Defaults are the values of the paper where it states them."""

    store: Path
    """Folder of the store; created if it does not exist."""
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    """Name of the dataset."""
    face_model: Path | None = None
    """Face model in the native format, as build-face-model writes it; default: the builtin head."""
    face_landmarker: Path | None = None
    """A face_landmarker.task file; default: the landmark model in the wheel of mediapipe."""
    speech_model: str | None = None
    """wav2vec2 weights, a local folder or a Hub id; default: a small untrained network, named as such."""
    stages: StageSettings = StageSettings()
    """Settings of each stage."""
    splits: SplitSettings = SplitSettings()
    """How subjects are divided into train, val and test."""
    report_clips: NonNegativeInt = 24
    """Number of clips with pictures in report.html; each takes up to 150 kB."""
    workers: PositiveInt = 2
    """Number of shards that run at the same time, each in a process of its own."""
    shard_clips: PositiveInt = 100
    """Most clips in a shard. A build of more than 12 such shards is divided into child flow runs."""
    retries: NonNegativeInt = 1
    """How often Prefect repeats a task run that failed, for example because the disk was full."""
    run: RunSettings = RunSettings()
    """Limits of time and memory for each clip."""
