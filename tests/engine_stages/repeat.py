"""Second stage of a simulated build: the first one's word several times, as its "tool" writes it."""

from __future__ import annotations

import os

from pydantic import BaseModel

from tasks.chain import Node
from tasks.stage import Stage, StageInput, StageOutput


class RepeatSettings(BaseModel, frozen=True, extra="forbid"):
    times: int = 2


def run(stage_input: StageInput, settings: RepeatSettings) -> StageOutput:
    result = stage_input.scratch / "crop"
    tool = os.environ.get("REPEAT_TOOL", "")
    result.write_text(tool + stage_input.blobs["video"].read_text() * settings.times)
    return StageOutput(files={"crop": result}, values={})


NODE = Node("repeat", "tests.engine_stages.repeat", takes=("video",), gives=("crop",))
STAGE = Stage(
    name="repeat",
    version=1,
    run=run,
    settings_type=RepeatSettings,
    tools=("scipy",),
)
