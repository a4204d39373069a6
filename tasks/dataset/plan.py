"""Plan a build: find the clips that the ledger does not hold, and cut them into shards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from math import ceil
from pathlib import Path

from pydantic import BaseModel

from tasks.chain import Node
from tasks.engine.clip import Clip
from tasks.engine.run_stage import clip_groups, fast_forward
from tasks.stage import load_stage
from tasks.store.blobs import Store
from tasks.store.recipes import recipe_of

SHARDS_PER_WORKER = 4
"""Shards for each worker: more than one, so that all workers finish at about the same time."""

MOST_SHARDS = 12
"""Most shards of one kind in a flow run: with ten wild and two studio stages the graph has 144 task runs."""


def run_forward(
    clips: Sequence[Clip], nodes: Iterable[Node], settings: Mapping[str, BaseModel], store: Store
) -> tuple[list[Clip], list[Clip]]:
    """Split clips into (finished, pending): all stages are in the ledger, or work is left (clip as given)."""
    given = {clip.clip_id: clip for clip in clips}
    current = list(clips)
    pending: list[Clip] = []
    for node in nodes:
        recipe = recipe_of(load_stage(node.dotted), settings[node.name])
        advanced: list[Clip] = []
        for group in clip_groups(node, current):
            known = fast_forward(group, node, recipe, store)
            if known is None:
                pending += [given[clip.clip_id] for clip in group]
            else:
                advanced += known
        current = advanced
    return current, pending


def make_shards(clips: Sequence[Clip], *, workers: int, largest: int) -> list[list[Clip]]:
    """Cut clips into shards of about equal size. Clips of one video stay together, to share a focal length.

    The largest files come first: a long clip that starts last keeps one worker busy and the others idle.
    """
    # enough for all workers, few enough for a legible graph
    several = min(len(clips), shards_of_run(workers), workers * SHARDS_PER_WORKER)
    shards: list[list[Clip]] = [[] for _ in range(max(several, ceil(len(clips) / largest)))]
    for video in sorted(_videos(clips), key=lambda video: (len(video), _bytes(video)), reverse=True):
        # greedy, largest video first, into the shortest shard: near enough to equal, and deterministic
        shard = min(shards, key=len)
        if shard and len(shard) + len(video) > largest:
            shards.append(video)
        else:
            shard += video
    return [shard for shard in shards if shard]


def shards_of_run(workers: int) -> int:
    """Return the most shards that clips of one kind may have in one flow run."""
    return max(workers, MOST_SHARDS)


def make_groups(clips: Sequence[Clip], *, largest: int) -> list[list[Clip]]:
    """Cut clips between source videos into groups of at most `largest`; a group has at least one video."""
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
