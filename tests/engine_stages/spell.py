"""First stage of a simulated build: does what the source's text says, and writes it in capitals."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from pydantic import BaseModel

from tasks.chain import Node
from tasks.reasons import Reason, Rejected
from tasks.stage import Stage, StageInput, StageOutput


class SpellSettings(BaseModel, frozen=True, extra="forbid"):
    ending: str = "!"


def run(stage_input: StageInput, settings: SpellSettings) -> StageOutput:
    order, *rest = stage_input.blobs["source"].read_text().split()
    if order == "die":
        os.kill(os.getpid(), signal.SIGSEGV)
    if order == "hang":
        signal.pause()
    if order == "grow":
        bytearray(64 << 30)
    if order == "reject":
        raise Rejected(Reason.NO_FACE, "no face in 100 frames")
    if order == "wait" and Path(rest[0]).exists():
        with Path(rest[0]).open("w") as gate:
            print(os.getpid(), file=gate, flush=True)
            signal.pause()
    result = stage_input.scratch / "word"
    size = int(rest[0]) if order == "large" else 1
    result.write_text(f"{order.upper()}{settings.ending}\n" * size)
    sys.stdout.flush()
    return StageOutput(files={"video": result}, values={"frames": 5, "letters": len(order)})


NODE = Node("spell", "tests.engine_stages.spell", takes=("source",), gives=("video",))
STAGE = Stage(
    name="spell",
    version=1,
    run=run,
    settings_type=SpellSettings,
    tools=("numpy",),
)
