"""Run the pending clips: in this flow run or, if there are many, in child flow runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from prefect import Flow, flow
from prefect.context import FlowRunContext
from prefect.task_runners import TaskRunner

from model.settings import Record
from tasks.chain import Node
from tasks.dataset.plan import make_groups, make_shards, shards_of_run
from tasks.dataset.run_shards import run_shards
from tasks.dataset.settings import BuildSettings
from tasks.engine.clip import Clip
from tasks.engine.schedule import Schedule, call_flow
from tasks.progress import StageProgress


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """Clips of one kind that have stages left to go through."""

    nodes: tuple[Node, ...]
    clips: list[Clip]


class ClipGroup(Record):
    """Parameter of a child flow run: which clips of a large build it takes.

    The clips themselves are larger than the 512 kB that Prefect accepts as parameters.
    """

    first: int
    """Number of the first clip of the group, counted from 1."""
    last: int
    """Number of the last clip of the group."""
    of: int
    """Number of pending clips in the whole build."""


def run_pending(
    pending: Sequence[Pending], *, settings: BuildSettings, store_root: Path, progress: StageProgress
) -> list[Clip]:
    """Take every pending clip through its stages: all at once, or in groups with a child flow run each."""
    for kind in pending:
        for node in kind.nodes if kind.clips else ():
            progress.begin(node.name, clips=len(kind.clips))

    def run(part: Sequence[Pending]) -> list[Clip]:
        return _run_part(part, settings=settings, store_root=store_root, progress=progress)

    # one flow run can show about 150 task runs; more than that goes into child flow runs
    total = sum(len(kind.clips) for kind in pending)
    largest = shards_of_run(settings.workers) * settings.shard_clips
    if total <= largest:
        return run(pending)
    groups = [
        Pending(nodes=kind.nodes, clips=group)
        for kind in pending
        for group in make_groups(kind.clips, largest=largest)
    ]
    finished: list[Clip] = []
    for group in groups:
        first, last = len(finished) + 1, len(finished) + len(group.clips)
        child = _child_flow(partial(run, [group]))
        clips: list[Clip] = call_flow(child, ClipGroup(first=first, last=last, of=total))
        finished += clips
    return finished


def _child_flow(work: Callable[[], list[Clip]]) -> Flow[[ClipGroup], list[Clip]]:
    """Make a flow that does the work; its parameter only describes the group."""
    parent = FlowRunContext.get()
    task_runner: TaskRunner[Any] | None = parent.task_runner if parent else None

    @flow(
        name="build-clips",
        flow_run_name="clips {group.first} to {group.last} of {group.of}",
        task_runner=task_runner,
        persist_result=False,
    )
    def build_clips(group: ClipGroup) -> list[Clip]:
        """Take one group of the clips of a large build through all stages."""
        del group
        return work()

    return build_clips


def _run_part(
    part: Sequence[Pending], *, settings: BuildSettings, store_root: Path, progress: StageProgress
) -> list[Clip]:
    schedule = Schedule(settings.workers)
    results = []
    try:
        for kind in part:
            results += run_shards(
                make_shards(kind.clips, workers=settings.workers, largest=settings.shard_clips),
                kind.nodes,
                schedule=schedule,
                store_root=store_root,
                settings=settings.stages.by_name(),
                run=settings.run,
                retries=settings.retries,
                progress=progress,
            )
        return [clip for shard in schedule.collect(results) for clip in shard]
    except BaseException:  # Ctrl-C among them: jobs may have hours left
        schedule.abandon()
        raise
    finally:
        schedule.close()
