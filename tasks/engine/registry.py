"""The stages by name. Modules are imported on first use: a rebuild that runs nothing loads nothing heavy."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from tasks.stage import Stage

STAGE_MODULES = {
    "pack": "tasks.stages.pack_pictures",
    "probe": "tasks.stages.probe_media",
    "resample": "tasks.stages.resample_media",
    "landmarks": "tasks.stages.detect_landmarks",
    "crop": "tasks.stages.crop_clip",
    "focal": "tasks.stages.estimate_focal",
    "fit": "tasks.stages.fit_clip",
    "sound": "tasks.stages.cut_sound",
    "depth": "tasks.stages.render_depth",
    "speech": "tasks.stages.extract_speech",
    "undistort": "tasks.stages.undistort_capture",
    "builtin_face_model": "tasks.stages.build_builtin_face_model",
}
"""Module of each stage; each has a constant STAGE."""

WILD_STAGES = ("pack", "probe", "resample", "landmarks", "crop", "focal", "fit", "sound", "depth", "speech")
STUDIO_STAGES = ("undistort", "depth")


@cache
def find_stage(name: str) -> Stage:
    """The stage of that name, or the one that a module outside this list defines (its dotted name)."""
    stage = import_module(STAGE_MODULES.get(name, name)).STAGE
    assert isinstance(stage, Stage)
    return stage
