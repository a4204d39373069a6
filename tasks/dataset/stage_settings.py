"""The settings of all stages, by stage."""

from __future__ import annotations

from pydantic import BaseModel

from model.settings import Settings
from rendering.fitting.settings import FitSettings, FocalSettings
from tasks.media.check_media import ProbeSettings
from tasks.stages.crop_clip import CropSettings
from tasks.stages.cut_sound import SoundSettings
from tasks.stages.depth_settings import DepthSettings
from tasks.stages.detect_landmarks import LandmarkSettings
from tasks.stages.extract_speech import SpeechSettings
from tasks.stages.pack_pictures import PackSettings
from tasks.stages.resample_media import ResampleSettings
from tasks.stages.undistort_capture import UndistortSettings


class StageSettings(Settings):
    """What each stage does; every field is part of that stage's key."""

    pack: PackSettings = PackSettings()
    """Folders of numbered pictures to 25 fps video."""
    probe: ProbeSettings = ProbeSettings()
    """What is let in."""
    resample: ResampleSettings = ResampleSettings()
    """25 fps and 16 kHz."""
    landmarks: LandmarkSettings = LandmarkSettings()
    """Which faces and frames are usable."""
    crop: CropSettings = CropSettings()
    """The square around the face."""
    focal: FocalSettings = FocalSettings()
    """One focal length a source video."""
    fit: FitSettings = FitSettings()
    """Identity, expression and pose."""
    sound: SoundSettings = SoundSettings()
    """The sound of the published part."""
    depth: DepthSettings = DepthSettings()
    """Depth and skin mask."""
    speech: SpeechSettings = SpeechSettings()
    """wav2vec features."""
    undistort: UndistortSettings = UndistortSettings()
    """Studio pictures to pinhole crops."""

    def by_name(self) -> dict[str, BaseModel]:
        """Stage name -> its settings."""
        return {name: getattr(self, name) for name in type(self).model_fields}
