"""A stage for the engine's tests: does what its input file says."""

from __future__ import annotations

import os
import signal
import time

from pydantic import BaseModel

from tasks.chain import Node, Skip
from tasks.reasons import Reason, Rejected
from tasks.stage import Stage, StageInput, StageOutput


class Nothing(BaseModel, frozen=True, extra="forbid"):
    """No settings."""


def run(stage_input: StageInput, settings: Nothing) -> StageOutput:
    order = stage_input.blobs["source"].read_text().split()
    if order[0] == "die":
        os.kill(os.getpid(), signal.SIGSEGV)
    if order[0] == "die-once":
        mark = stage_input.blobs["source"].with_suffix(".died")
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    if order[0] == "hang":
        time.sleep(1e6)
    if order[0] == "grow":
        bytearray(64 << 30)
    if order[0] == "full":
        raise OSError(28, "No space left on device")
    if order[0] == "reject":
        raise Rejected(Reason.NO_FACE, "no face in 100 frames")
    if order[0] == "chatter":
        os.write(1, b"native chatter\n")
        print("python chatter")  # noqa: T201
    result = stage_input.scratch / "out"
    result.write_text(" ".join(order) + stage_input.values.get("suffix", ""))
    return StageOutput(files={"result": result}, values={"words": len(order)})


NODE = Node(
    "behaviour", "tests.engine_stages.behaviour", takes=("source",), gives=("result",), reads=("suffix",),
    skip=Skip(without="source", because="a test"),
)  # fmt: skip
STAGE = Stage(
    name="behaviour",
    version=1,
    run=run,
    settings_type=Nothing,
    modules=("tasks.stage",),
    tools=("numpy",),
)
