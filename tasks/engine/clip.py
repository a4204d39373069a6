"""A clip between scan and publish: what is known about it so far, as a small record that JSON can hold."""

from __future__ import annotations

from typing import Literal

from model.settings import Record
from tasks.reasons import Reason
from tasks.stage import Json


class FinishedStage(Record):
    """A stage that is done for a clip, and what it cost."""

    stage: str
    key: str
    reused: bool
    wall_s: float
    cpu_s: float


class Clip(Record):
    """One source on its way through the stages."""

    clip_id: str
    kind: Literal["wild", "studio"]
    video_id: str
    """Id of the source video that the clip was cut from; clips of one video share a focal length."""
    files: dict[str, str]
    """Path by role of the files that the source itself brings; they lie outside the store."""
    blobs: dict[str, str]
    """sha256 by role of all files: those of the source, those of the models and those that stages wrote."""
    values: dict[str, Json]
    """Figures that the source and the finished stages gave."""
    steps: tuple[FinishedStage, ...] = ()
    reason: Reason | None = None
    detail: str | None = None

    def after(self, step: FinishedStage, *, blobs: dict[str, str], values: dict[str, Json]) -> Clip:
        """Return the clip with one more stage done."""
        return self.model_copy(
            update={
                "steps": (*self.steps, step),
                "blobs": {**self.blobs, **blobs},
                "values": {**self.values, **values},
            }
        )

    def rejected(self, reason: Reason, detail: str, step: FinishedStage | None = None) -> Clip:
        """Return the clip quarantined for a reason; later stages leave it as it is."""
        steps = self.steps if step is None else (*self.steps, step)
        return self.model_copy(update={"steps": steps, "reason": reason, "detail": detail})
