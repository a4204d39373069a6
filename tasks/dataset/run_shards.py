"""Submit one task run for each stage and shard, breadth first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from tasks.chain import Node
from tasks.engine.clip import Clip
from tasks.engine.run_stage import RunSettings, run_stage
from tasks.engine.schedule import Result, Schedule
from tasks.progress import StageProgress


def run_shards(
    shards: Sequence[list[Clip]],
    nodes: Iterable[Node],
    *,
    schedule: Schedule,
    store_root: Path,
    settings: Mapping[str, BaseModel],
    run: RunSettings,
    retries: int,
    progress: StageProgress,
) -> list[Result[list[Clip]]]:
    """Submit every stage of every shard; the futures return the clips of each shard after its last stage."""
    results: list[Any] = list(shards)
    for node in nodes if shards else ():
        results = [
            schedule.submit(
                run_stage.with_options(retries=retries),
                node,
                result,
                label=f"shard {number} of {len(shards)}",
                store_root=store_root,
                settings=settings[node.name],
                run=run,
            )
            for number, result in enumerate(results, start=1)
        ]
        for result in results:
            schedule.when_done(result, partial(_advance, progress, node.name))
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
