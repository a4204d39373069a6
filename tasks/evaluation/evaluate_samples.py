"""Sample evaluation of a split: portraits of its persons, and a talking clip (paper sections 3.3 and 4.2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from prefect import task
from prefect.cache_policies import NO_CACHE

from model.metrics.depth_estimators import PipelineDepth
from model.samples.manifest import ManifestRow
from tasks.dataset.read_version import Split
from tasks.evaluation.open_evaluation import Evaluation
from tasks.evaluation.results import SAMPLES, SampleEvaluation, write_result
from tasks.evaluation.score_samples import Identities, Sampled, choose_identities
from tasks.evaluation.score_samples import score_samples as score
from tasks.evaluation.strips import LabelledTiles, Tile, code_tile, rgb_tile, write_animation, write_strips
from tasks.media.published_clip import clip_speech

COLUMNS = 8
"""Number of persons that the page shows."""
TALKING_FRAMES = 75
"""Longest talking clip in frames: 3 s at 25 frames a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Persons of a split, their samples, and how they were sampled."""

    identities: Identities
    sampled: Sampled
    steps: int
    """Number of denoising steps of a sample."""
    seeds: int
    """Number of samples of each person."""


@task(task_run_name="score samples", cache_policy=NO_CACHE, persist_result=False)
def score_samples(
    evaluation: Evaluation, *, identities: int, steps: int, depth_steps: int, seeds: int
) -> People:
    """Sample portraits with and without references, and score them."""
    people = choose_identities(evaluation.frames, most=identities)
    pipeline = evaluation.model.pipeline
    estimator = PipelineDepth(pipeline=pipeline, steps=depth_steps, samples=1, seed=0)
    sampled = score(pipeline, people, steps=steps, seeds=seeds, estimator=estimator)
    return People(identities=people, sampled=sampled, steps=steps, seeds=seeds)


@task(task_run_name="write samples", cache_policy=NO_CACHE, persist_result=False)
def write_samples(
    evaluation: Evaluation, people: People, talking: list[Tile], *, out: Path
) -> SampleEvaluation:
    """Write samples.json, pictures and the talking clip."""
    result = SampleEvaluation(
        **evaluation.facts,
        strips=write_strips(out, sample_strips(people.identities, people.sampled)),
        steps=people.steps,
        seeds=people.seeds,
        scores=people.sampled.scores,
        talking=write_animation(out, "talking", talking) if talking else None,
    )
    write_result(out, SAMPLES, (result.model_dump_json(indent=1) + "\n").encode())
    return result


def sample_strips(people: Identities, sampled: Sampled) -> Iterator[LabelledTiles]:
    """Name, label, note and tiles of the references, and of the samples with and without them."""
    near = "near is bright"
    yield "sample_reference", "reference", "", [rgb_tile(rgb) for rgb in people.reference[:COLUMNS]]
    for name, label, samples in (
        ("seen", "with it", sampled.with_reference),
        ("alone", "without", sampled.without_reference),
    ):
        yield f"sample_{name}_rgb", f"RGB {label}", "", [rgb_tile(rgb) for rgb in samples.rgb[:COLUMNS]]
        tiles = [code_tile(code) for code in samples.depth_code[:COLUMNS]]
        yield f"sample_{name}_depth", f"depth {label}", near, tiles


@task(task_run_name="make a talking clip", cache_policy=NO_CACHE, persist_result=False)
def talking_clip(evaluation: Evaluation, *, steps: int) -> list[Tile]:
    """Sample a talking clip: portrait, sampled RGB and sampled depth side by side, a tile for each frame.

    The list is empty if the training has no motion stage, or the version no clip with sound.
    """
    video, rows = evaluation.video, speaker(evaluation.version.rows, evaluation.split)
    if video is None or not rows:
        return []
    (row,) = rows
    (first,) = evaluation.clips.chosen(row, [0])
    portrait = (first.rgb + 1) / 2
    count = min(row.frames or 1, TALKING_FRAMES)
    speech = clip_speech(evaluation.store.checked_blob(row.blobs["clip_audio"]), frames=count)
    frames = video(portrait, speech, num_inference_steps=steps, generator=torch.Generator().manual_seed(0))
    still = rgb_tile(portrait[0])
    return [
        np.concatenate([still, rgb_tile(frame.rgb.cpu()), code_tile(frame.depth_code.cpu())], axis=1)
        for frame in islice(frames, count)
    ]


def speaker(rows: Sequence[ManifestRow], split: Split) -> list[ManifestRow]:
    """The first clip with sound, of the split if it has one, else of any; empty if no clip has sound."""
    with_sound = [row for row in rows if row.status == "published" and "clip_audio" in row.blobs]
    of_split = [row for row in with_sound if row.split == split]
    return sorted(of_split or with_sound, key=lambda row: row.clip_id)[:1]
