"""One task run: one stage over one shard of clips."""

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
from tasks.engine.clip import Clip, FinishedStage
from tasks.engine.registry import find_stage
from tasks.engine.worker_pool import Answer, JobLimits, StorageError, Worker, borrow_worker
from tasks.reasons import Reason, Rejected
from tasks.sources.digest import digest_source
from tasks.stage import Json, Stage
from tasks.store.actions import TRANSIENT, Action, find_action, record_action
from tasks.store.blobs import Store
from tasks.store.recipes import Recipe, action_key, recipe_of

LEAST_FREE_BYTES = 64 << 20
"""With less free space than this a failure is the disk's, not the clip's."""


class RunSettings(Settings):
    """Limits of every job; they change no result and are in no key."""

    job_timeout_s: PositiveFloat = 900.0
    """Longest a stage may take for one clip, seconds."""
    job_memory_gb: PositiveFloat = 8.0
    """Most private memory of a worker process, GB."""

    @property
    def limits(self) -> JobLimits:
        """The same for the worker."""
        return JobLimits(wall_s=self.job_timeout_s, memory_bytes=int(self.job_memory_gb * 1e9))


@task(task_run_name="{stage_name} {label}", cache_policy=NO_CACHE, persist_result=False)
def run_stage(
    stage_name: str,
    clips: Sequence[Clip],
    *,
    label: str,
    store_root: Path,
    settings: BaseModel,
    run: RunSettings,
) -> list[Clip]:
    """Take every clip of a shard through one stage; a bad clip leaves with a reason, never fails it."""
    del label  # names the task run
    stage = find_stage(stage_name)
    recipe = recipe_of(stage, settings)
    store = Store(store_root)
    with borrow_worker(run.limits) as worker:
        return [
            clip
            for group in clip_groups(stage, clips)
            for clip in _advance(group, stage, recipe, store, worker)
        ]


def fast_forward(group: list[Clip], stage: Stage, recipe: Recipe, store: Store) -> list[Clip] | None:
    """The clips after a stage whose result the ledger holds; None where there is work to do."""
    good = [clip for clip in group if not clip.reason]
    if not good or _lacks_input(good, stage):
        return group
    key = _key(good, stage, recipe)
    action = find_action(store, key)
    if action is None:
        return None
    return [clip if clip.reason else _after(clip, action, key, reused=True) for clip in group]


def clip_groups(stage: Stage, clips: Sequence[Clip]) -> list[list[Clip]]:
    """Clips that a stage takes together: one by one, or all of a source video."""
    if not stage.per_video:
        return [[clip] for clip in clips]
    ordered = sorted(clips, key=lambda clip: (clip.video_id, clip.clip_id))
    return [list(group) for _, group in groupby(ordered, lambda clip: clip.video_id)]


def _advance(group: list[Clip], stage: Stage, recipe: Recipe, store: Store, worker: Worker) -> list[Clip]:
    known = fast_forward(group, stage, recipe, store)
    if known is not None:
        return known
    good = [clip for clip in group if not clip.reason]
    action = _work(good, stage, recipe, store, worker)
    key = action.key
    if action.reason not in TRANSIENT:
        record_action(store, action)
    return [clip if clip.reason else _after(clip, action, key, reused=False) for clip in group]


def _work(clips: list[Clip], stage: Stage, recipe: Recipe, store: Store, worker: Worker) -> Action:
    """Run the stage in the worker and store what it made."""
    inputs, given = _inputs(clips, stage), _given(clips, stage)
    with store.scratch() as scratch:
        job = {
            "blobs": {role: str(path) for role, path in _paths(clips, stage, store).items()},
            "values": given,
            "settings": recipe.settings,
            "scratch": str(scratch),
        }
        try:
            answer = _unchanged(worker.run(stage, job), clips, inputs)
            _blame_the_disk(answer, scratch)
        except StorageError as fault:
            raise StorageError(f"store {store.root}: {fault}") from fault
        outputs = {role: store.put_file(path) for role, path in sorted(answer.files.items())}
    return Action(
        stage=stage.name,
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


def _lacks_input(clips: Sequence[Clip], stage: Stage) -> bool:
    return any(not _matching(clip, role) for clip in clips for role in stage.inputs)


def _matching(clip: Clip, role: str) -> list[str]:
    """The clip's roles that a stage's input names: itself, or all of "image/*"."""
    if role.endswith("/*"):
        return sorted(held for held in clip.blobs if held.startswith(role[:-1]))
    return [role] if role in clip.blobs else []


def _key(clips: Sequence[Clip], stage: Stage, recipe: Recipe) -> str:
    return action_key(recipe.digest, inputs=_inputs(clips, stage), given=_given(clips, stage))


def _inputs(clips: Sequence[Clip], stage: Stage) -> dict[str, str]:
    """Role -> digest of the files the stage reads; "<role>/<index>" where it takes several clips."""
    return {
        f"{role}/{index}" if stage.per_video else role: clip.blobs[role]
        for index, clip in enumerate(clips)
        for declared in (*stage.inputs, *stage.optional_inputs)
        for role in _matching(clip, declared)
    }


def _given(clips: Sequence[Clip], stage: Stage) -> dict[str, Json]:
    values = [{name: clip.values[name] for name in stage.reads if name in clip.values} for clip in clips]
    return {"clips": values} if stage.per_video else values[0]


def _paths(clips: Sequence[Clip], stage: Stage, store: Store) -> dict[str, Path]:
    """Local files by role: the source's own, and blobs whose content was just checked."""
    own = {
        f"{role}/{index}" if stage.per_video else role: Path(path)
        for index, clip in enumerate(clips)
        for role, path in clip.files.items()
    }
    return {
        role: own[role] if role in own else store.checked_blob(digest)
        for role, digest in _inputs(clips, stage).items()
    }


def _unchanged(answer: Answer, clips: Sequence[Clip], inputs: Mapping[str, str]) -> Answer:
    """The answer, or a verdict where a source file is no longer what was digested before the stage ran."""
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
