"""Stage builtin_face_model: the builtin head in the native format, made once a store."""

from __future__ import annotations

from model.settings import Settings
from tasks.face_models.build import build_face_model
from tasks.stage import Stage, StageInput, StageOutput


class BuiltinSettings(Settings):
    """The stage has no settings."""


def run(stage_input: StageInput, settings: BuiltinSettings) -> StageOutput:
    """Generate the head and find its landmarks."""
    del settings
    path = stage_input.scratch / "face_model.npz"
    build_face_model("builtin", None, path)
    return StageOutput(files={"face_model": path}, values={})


STAGE = Stage(
    name="builtin_face_model",
    version=2,
    run=run,
    settings_type=BuiltinSettings,
    tools=("mediapipe", "numba", "numpy", "opencv-contrib-python", "scipy"),
)
