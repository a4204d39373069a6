"""A stage that does nothing but read one small file and write one: what remains is orchestration."""

from __future__ import annotations

from pydantic import BaseModel

from tasks.stage import Stage, StageInput, StageOutput


class SimulatedSettings(BaseModel, frozen=True, extra="forbid"):
    """Tells one simulated stage from the next."""

    index: int


def run(stage_input: StageInput, settings: SimulatedSettings) -> StageOutput:
    """Append the stage's index to the file."""
    result = stage_input.scratch / "result"
    result.write_text(f"{stage_input.blobs['result'].read_text()} {settings.index}")
    return StageOutput(files={"result": result}, values={"last": settings.index})


STAGE = Stage(
    name="simulated",
    version=1,
    run=run,
    settings_type=SimulatedSettings,
    modules=("tasks.stage",),
    tools=("numpy",),
    inputs=("result",),
    outputs=("result",),
)
