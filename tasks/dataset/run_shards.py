"""All stages over all pending clips: one task run a stage and shard, breadth first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from tasks.engine.clip import Clip
from tasks.engine.run_stage import RunSettings, run_stage
from tasks.engine.schedule import Result, Schedule
from tasks.progress import StageProgress


def run_shards(
    shards: Sequence[list[Clip]],
    stages: Sequence[str],
    *,
    schedule: Schedule,
    store_root: Path,
    settings: Mapping[str, BaseModel],
    run: RunSettings,
    retries: int,
    progress: StageProgress,
) -> list[Result[list[Clip]]]:
    """Submit every stage of every shard; the futures give the shards' clips after the last stage."""
    results: list[Any] = list(shards)
    for name in stages if shards else ():
        results = [
            schedule.submit(
                run_stage.with_options(retries=retries),
                name,
                result,
                label=f"shard {number} of {len(shards)}",
                store_root=store_root,
                settings=settings[name],
                run=run,
            )
            for number, result in enumerate(results, start=1)
        ]
        for result in results:
            schedule.when_done(result, partial(_advance, progress, name))
    return results


def _advance(progress: StageProgress, stage: str, clips: Sequence[Clip]) -> None:
    for clip in clips:
        last = clip.steps[-1] if clip.steps else None
        here = last is not None and last.stage == stage and not last.reused
        progress.advance(
            stage,
            frames=int(clip.values.get("frames") or clip.values.get("source_frames") or 0) if here else 0,
            rejected=bool(clip.reason) and here,
        )
