"""What is left to do: clips are run forward through the ledger, the rest is cut into shards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from math import ceil

from pydantic import BaseModel

from tasks.engine.clip import Clip
from tasks.engine.registry import STUDIO_STAGES, WILD_STAGES, find_stage
from tasks.engine.run_stage import clip_groups, fast_forward
from tasks.store.blobs import Store
from tasks.store.recipes import recipe_of

SHARDS_PER_WORKER = 4
"""More than one, so that the workers finish together; few, so that the run graph stays legible."""


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
    """Shards of about equal size; the clips of one source video stay together, to share its focal length."""
    size = min(largest, max(1, ceil(len(clips) / (workers * SHARDS_PER_WORKER))))
    shards: list[list[Clip]] = []
    ordered = sorted(clips, key=lambda clip: (clip.video_id, clip.clip_id))
    for _, group in groupby(ordered, lambda clip: clip.video_id):
        video = list(group)
        if shards and len(shards[-1]) + len(video) <= size:
            shards[-1] += video
        else:
            shards.append(video)
    return shards
