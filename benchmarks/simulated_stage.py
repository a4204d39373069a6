"""A stage that does nothing but read one small file and write one: what remains is orchestration."""

from __future__ import annotations

from pydantic import BaseModel

from tasks.chain import Node
from tasks.stage import Stage, StageInput, StageOutput


class SimulatedSettings(BaseModel, frozen=True, extra="forbid"):
    """Tells one simulated stage from the next."""

    index: int


def run(stage_input: StageInput, settings: SimulatedSettings) -> StageOutput:
    """Append the stage's index to the file."""
    result = stage_input.scratch / "result"
    result.write_text(f"{stage_input.blobs['result'].read_text()} {settings.index}")
    return StageOutput(files={"result": result}, values={"last": settings.index})


def simulated_node(name: str) -> Node:
    """The stage under a name of its own."""
    return Node(name, "benchmarks.simulated_stage", takes=("result",), gives=("result",))


STAGE = Stage(
    name="simulated",
    version=1,
    run=run,
    settings_type=SimulatedSettings,
    modules=("tasks.stage",),
    tools=("numpy",),
)
