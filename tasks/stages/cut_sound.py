"""Stage sound: the sound of the published part, exactly 640 samples a frame."""

from __future__ import annotations

from model.settings import Settings
from tasks.media.video_files import SAMPLES_PER_FRAME, read_audio, write_audio
from tasks.stage import Stage, StageInput, StageOutput


class SoundSettings(Settings):
    """The stage has no settings."""


def run(stage_input: StageInput, settings: SoundSettings) -> StageOutput:
    """Cut the sound of the source to the part that the fit kept."""
    del settings
    first, count = (stage_input.values[name] * SAMPLES_PER_FRAME for name in ("first_frame", "frames"))
    path = stage_input.scratch / "clip_audio.wav"
    write_audio(path, read_audio(stage_input.blobs["audio"], start=first, count=count))
    return StageOutput(files={"clip_audio": path}, values={"audio_samples": count})


STAGE = Stage(
    name="sound",
    version=1,
    run=run,
    settings_type=SoundSettings,
    tools=("numpy",),
)
