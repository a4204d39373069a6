"""The task that runs one stage over one shard of clips."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE
from pydantic import BaseModel, PositiveFloat

from model.settings import Settings
from tasks.chain import Node
from tasks.engine.clip import Clip, FinishedStage
from tasks.engine.worker_pool import Answer, JobLimits, StorageError, Worker, borrow_worker
from tasks.reasons import Reason, Rejected
from tasks.sources.digest import digest_source
from tasks.stage import Json, load_stage
from tasks.store.actions import TRANSIENT, Action, find_action, record_action
from tasks.store.blobs import Store
from tasks.store.recipes import Recipe, action_key, recipe_of

LEAST_FREE_BYTES = 64 << 20
"""A failure with less free space than this is blamed on the disk, not on the clip."""


class RunSettings(Settings):
    """Limits of time and memory for one clip in one stage. They change no result and are part of no key."""

    job_timeout_s: PositiveFloat = 900.0
    """Longest time that a stage may take for one clip, seconds."""
    job_memory_gb: PositiveFloat = 8.0
    """Most private memory that a worker process may use, GB."""

    @property
    def limits(self) -> JobLimits:
        """The limits in the units of the worker."""
        return JobLimits(wall_s=self.job_timeout_s, memory_bytes=int(self.job_memory_gb * 1e9))


@task(task_run_name="{node.name} {label}", cache_policy=NO_CACHE, persist_result=False)
def run_stage(
    node: Node,
    clips: Sequence[Clip],
    *,
    label: str,
    store_root: Path,
    settings: BaseModel,
    run: RunSettings,
) -> list[Clip]:
    """Take every clip of a shard through one stage. A bad clip gets a reason and never fails the shard."""
    del label  # names the task run
    recipe = recipe_of(load_stage(node.dotted), settings)
    store = Store(store_root)
    with borrow_worker(run.limits) as worker:
        return [
            clip
            for group in clip_groups(node, clips)
            for clip in _advance(group, node, recipe, store, worker)
        ]


def fast_forward(group: list[Clip], node: Node, recipe: Recipe, store: Store) -> list[Clip] | None:
    """Return the clips after a stage that they skip or whose result the ledger holds; None if work is left.

    Raises:
        LookupError: a clip lacks a file that the stage takes, and the DAG does not let it skip the stage.
    """
    good = [clip for clip in group if not clip.reason]
    if not good or any(_skips(clip, node) for clip in good):
        return group
    key = _key(good, node, recipe)
    action = find_action(store, key)
    if action is None:
        return None
    return [clip if clip.reason else _after(clip, action, key, reused=True) for clip in group]


def clip_groups(node: Node, clips: Sequence[Clip]) -> list[list[Clip]]:
    """Group the clips that a stage takes together: one by one, or all clips of a source video."""
    if not node.per_video:
        return [[clip] for clip in clips]
    ordered = sorted(clips, key=lambda clip: (clip.video_id, clip.clip_id))
    return [list(group) for _, group in groupby(ordered, lambda clip: clip.video_id)]


def _advance(group: list[Clip], node: Node, recipe: Recipe, store: Store, worker: Worker) -> list[Clip]:
    known = fast_forward(group, node, recipe, store)
    if known is not None:
        return known
    good = [clip for clip in group if not clip.reason]
    action = _work(good, node, recipe, store, worker)
    key = action.key
    # a timeout or crash may be the fault of the machine; the next build tries it again
    if action.reason not in TRANSIENT:
        record_action(store, action)
    return [clip if clip.reason else _after(clip, action, key, reused=False) for clip in group]


def _work(clips: list[Clip], node: Node, recipe: Recipe, store: Store, worker: Worker) -> Action:
    """Run the stage in the worker and put its files into the store."""
    inputs, given = _inputs(clips, node), _given(clips, node)
    with store.scratch() as scratch:
        job = {
            "blobs": {role: str(path) for role, path in _paths(clips, node, store).items()},
            "values": given,
            "settings": recipe.settings,
            "scratch": str(scratch),
        }
        try:
            answer = _unchanged(worker.run(node, job), clips, inputs)
            _blame_the_disk(answer, scratch)
        except StorageError as fault:
            raise StorageError(f"store {store.root}: {fault}") from fault
        # files first, the record afterwards: a record never names a blob that is not there
        outputs = {role: store.put_file(path) for role, path in sorted(answer.files.items())}
    return Action(
        stage=recipe.stage,
        recipe=recipe.digest,
        inputs=inputs,
        given=given,
        outputs=outputs,
        values=dict(answer.values),
        reason=answer.reason,
        detail=answer.detail,
        wall_s=round(answer.wall_s, 4),
        cpu_s=round(answer.cpu_s, 4),
    )


def _after(clip: Clip, action: Action, key: str, *, reused: bool) -> Clip:
    step = FinishedStage(
        stage=action.stage,
        key=key,
        reused=reused,
        wall_s=action.wall_s or 0.0,
        cpu_s=action.cpu_s or 0.0,
    )
    if action.reason:
        return clip.rejected(action.reason, action.detail or "", step)
    blobs = {role: blob.sha256 for role, blob in action.outputs.items()}
    return clip.after(step, blobs=blobs, values=action.values)


def _skips(clip: Clip, node: Node) -> bool:
    """Whether the clip passes the stage by: it lacks a role as the DAG allows, or has the stage behind it."""
    if any(step.stage == node.name for step in clip.steps):
        return True
    missing = [role for role in node.takes if not _matching(clip, role)]
    if missing and (node.skip is None or node.skip.without not in missing):
        raise LookupError(
            f"stage {node.name} of clip {clip.clip_id} takes {missing[0]!r}, which no stage before it gave; "
            f"the clip has {sorted(clip.blobs)}"
        )
    return bool(missing)


def _matching(clip: Clip, role: str) -> list[str]:
    """Roles of the clip that an input of a stage stands for: the role itself, or all of "image/*"."""
    if role.endswith("/*"):
        return sorted(held for held in clip.blobs if held.startswith(role[:-1]))
    return [role] if role in clip.blobs else []


def _key(clips: Sequence[Clip], node: Node, recipe: Recipe) -> str:
    return action_key(recipe.digest, inputs=_inputs(clips, node), given=_given(clips, node))


def _inputs(clips: Sequence[Clip], node: Node) -> dict[str, str]:
    """sha256 by role of the files that the stage reads; "<role>/<index>" where it takes several clips."""
    return {
        f"{role}/{index}" if node.per_video else role: clip.blobs[role]
        for index, clip in enumerate(clips)
        for declared in (*node.takes, *node.may_take)
        for role in _matching(clip, declared)
    }


def _given(clips: Sequence[Clip], node: Node) -> dict[str, Json]:
    values = [{name: clip.values[name] for name in node.reads if name in clip.values} for clip in clips]
    return {"clips": values} if node.per_video else values[0]


def _paths(clips: Sequence[Clip], node: Node, store: Store) -> dict[str, Path]:
    """Local files by role: those of the source, and blobs whose content was just checked."""
    own = {
        f"{role}/{index}" if node.per_video else role: Path(path)
        for index, clip in enumerate(clips)
        for role, path in clip.files.items()
    }
    return {
        role: own[role] if role in own else store.checked_blob(digest)
        for role, digest in _inputs(clips, node).items()
    }


def _unchanged(answer: Answer, clips: Sequence[Clip], inputs: Mapping[str, str]) -> Answer:
    """Return the answer, or a verdict if a source file changed after it was digested."""
    own = {role: Path(path) for clip in clips for role, path in clip.files.items() if role in inputs}
    try:
        changed = [role for role, path in own.items() if digest_source(path) != inputs[role]]
    except Rejected as rejected:
        return replace(answer, files={}, values={}, reason=rejected.reason, detail=rejected.detail)
    if changed:
        detail = f"{changed[0]} changed while the clip was built; build again when it is whole"
        return replace(answer, files={}, values={}, reason=Reason.UNREADABLE, detail=detail)
    return answer


def _blame_the_disk(answer: Answer, scratch: Path) -> None:
    free = shutil.disk_usage(scratch).free
    if answer.reason and free < LEAST_FREE_BYTES:
        raise StorageError(
            f"only {free} bytes are free on its disk, need {LEAST_FREE_BYTES}; "
            f"free space, then run again ({answer.detail})"
        )
