"""What is left to do: clips are run forward through the ledger, the rest is cut into shards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from math import ceil
from pathlib import Path

from pydantic import BaseModel

from tasks.engine.clip import Clip
from tasks.engine.registry import STUDIO_STAGES, WILD_STAGES, find_stage
from tasks.engine.run_stage import clip_groups, fast_forward
from tasks.store.blobs import Store
from tasks.store.recipes import recipe_of

SHARDS_PER_WORKER = 4
"""More than one, so that the workers finish together."""

MOST_SHARDS = 12
"""Twelve shards of ten wild and of two studio stages are 144 task runs: a run graph that is still legible."""


def stages_of(clip: Clip) -> tuple[str, ...]:
    """The stages a clip goes through."""
    return STUDIO_STAGES if clip.kind == "studio" else WILD_STAGES


def run_forward(
    clips: Sequence[Clip], stages: Sequence[str], settings: Mapping[str, BaseModel], store: Store
) -> tuple[list[Clip], list[Clip]]:
    """(finished, pending): clips whose every stage the ledger holds, and those with work left, as given."""
    given = {clip.clip_id: clip for clip in clips}
    current = list(clips)
    pending: list[Clip] = []
    for name in stages:
        stage = find_stage(name)
        recipe = recipe_of(stage, settings[name])
        advanced: list[Clip] = []
        for group in clip_groups(stage, current):
            known = fast_forward(group, stage, recipe, store)
            if known is None:
                pending += [given[clip.clip_id] for clip in group]
            else:
                advanced += known
        current = advanced
    return current, pending


def make_shards(clips: Sequence[Clip], *, workers: int, largest: int) -> list[list[Clip]]:
    """Shards of about equal size; the clips of one source video stay together, to share its focal length.

    The largest files come first: a long clip that began last would keep one worker busy and the others idle.
    """
    several = min(len(clips), shards_of_run(workers), workers * SHARDS_PER_WORKER)
    shards: list[list[Clip]] = [[] for _ in range(max(several, ceil(len(clips) / largest)))]
    for video in sorted(_videos(clips), key=lambda video: (len(video), _bytes(video)), reverse=True):
        shard = min(shards, key=len)
        if shard and len(shard) + len(video) > largest:
            shards.append(video)
        else:
            shard += video
    return [shard for shard in shards if shard]


def shards_of_run(workers: int) -> int:
    """Most shards of one kind of clip in one flow run."""
    return max(workers, MOST_SHARDS)


def make_groups(clips: Sequence[Clip], *, largest: int) -> list[list[Clip]]:
    """Clips in order, cut between source videos into groups of at most `largest`, one video at least."""
    groups: list[list[Clip]] = []
    for video in _videos(clips):
        if groups and len(groups[-1]) + len(video) <= largest:
            groups[-1] += video
        else:
            groups.append(video)
    return groups


def _videos(clips: Sequence[Clip]) -> list[list[Clip]]:
    ordered = sorted(clips, key=lambda clip: (clip.video_id, clip.clip_id))
    return [list(group) for _, group in groupby(ordered, lambda clip: clip.video_id)]


def _bytes(clips: Sequence[Clip]) -> int:
    files = (Path(file) for clip in clips for file in clip.files.values())
    return sum(file.stat().st_size for file in files if file.exists())
