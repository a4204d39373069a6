"""A clip on its way through the stages: what is known of it so far. Small, printable, JSON."""

from __future__ import annotations

from typing import Literal

from model.settings import Record
from tasks.reasons import Reason
from tasks.stage import Json


class FinishedStage(Record):
    """One finished stage of a clip."""

    stage: str
    key: str
    reused: bool
    wall_s: float
    cpu_s: float


class Clip(Record):
    """One source between scan and publish."""

    clip_id: str
    kind: Literal["wild", "studio"]
    video_id: str
    """The source video it was cut from: clips of one video share a focal length."""
    files: dict[str, str]
    """Role -> path of the source's own files, outside the store."""
    blobs: dict[str, str]
    """Role -> sha256 of everything made so far, and of the source's own files."""
    values: dict[str, Json]
    """Figures given so far by the source and the stages."""
    steps: tuple[FinishedStage, ...] = ()
    reason: Reason | None = None
    detail: str | None = None

    def after(self, step: FinishedStage, *, blobs: dict[str, str], values: dict[str, Json]) -> Clip:
        """The clip with one more stage done."""
        return self.model_copy(
            update={
                "steps": (*self.steps, step),
                "blobs": {**self.blobs, **blobs},
                "values": {**self.values, **values},
            }
        )

    def rejected(self, reason: Reason, detail: str, step: FinishedStage | None = None) -> Clip:
        """The clip quarantined; later stages leave it alone."""
        steps = self.steps if step is None else (*self.steps, step)
        return self.model_copy(update={"steps": steps, "reason": reason, "detail": detail})
