"""Samples of a split's persons, and one of them talking."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
import torch
from prefect import task
from prefect.cache_policies import NO_CACHE

from model.depth_estimators import PipelineDepth
from model.sample import ManifestRow
from tasks.clip_pictures import load_pictures
from tasks.evaluation.open_evaluation import Evaluation
from tasks.evaluation.score_samples import Identities, Sampled, choose_identities
from tasks.evaluation.score_samples import score_samples as score
from tasks.evaluation.strips import Tile, code_tile, rgb_tile
from tasks.video_files import SAMPLES_PER_FRAME, read_audio

COLUMNS = 8
TALKING_FRAMES = 75
FULL_SCALE = 32768


@task(task_run_name="score samples", cache_policy=NO_CACHE, persist_result=False)
def score_samples(
    evaluation: Evaluation, *, identities: int, steps: int, depth_steps: int, seeds: int
) -> tuple[Identities, Sampled]:
    """Samples with and without references, scored."""
    people = choose_identities(evaluation.frames, most=identities)
    pipeline = evaluation.model.pipeline
    estimator = PipelineDepth(pipeline=pipeline, steps=depth_steps, samples=1, seed=0)
    return people, score(pipeline, people, steps=steps, seeds=seeds, estimator=estimator)


def sample_strips(people: Identities, sampled: Sampled) -> Iterator[tuple[str, str, str, list[Tile]]]:
    """Name, label, note and tiles: reference, and what was made with and without it."""
    near = "near is bright"
    yield "sample_reference", "reference", "", [rgb_tile(rgb) for rgb in people.reference[:COLUMNS]]
    for name, label, made in (("seen", "with it", sampled.seen), ("alone", "without", sampled.alone)):
        yield f"sample_{name}_rgb", f"RGB {label}", "", [rgb_tile(rgb) for rgb in made.rgb[:COLUMNS]]
        tiles = [code_tile(code) for code in made.depth_code[:COLUMNS]]
        yield f"sample_{name}_depth", f"depth {label}", near, tiles


@task(task_run_name="make a talking clip", cache_policy=NO_CACHE, persist_result=False)
def talking_clip(evaluation: Evaluation, *, steps: int) -> list[Tile]:
    """Portrait, made RGB and made depth beside each other, frame by frame; empty where nothing can talk."""
    video, row = evaluation.model.video, _speaker(evaluation)
    if video is None or row is None:
        return []
    whole = load_pictures(evaluation.store.checked_blob(evaluation.pictures[row.clip_id]))
    portrait = (whole.rgb[:1] + 1) / 2
    count = min(row.frames or 1, TALKING_FRAMES)
    samples = read_audio(
        evaluation.store.checked_blob(row.blobs["clip_audio"]), count=count * SAMPLES_PER_FRAME
    )
    speech = torch.from_numpy(samples.astype(np.float32) / FULL_SCALE)
    made = video(portrait, speech, num_inference_steps=steps, generator=torch.Generator().manual_seed(0))
    still = rgb_tile(portrait[0])
    return [
        np.concatenate([still, rgb_tile(frame.rgb.cpu()), code_tile(frame.depth_code.cpu())], axis=1)
        for frame in islice(made, count)
    ]


def _speaker(evaluation: Evaluation) -> ManifestRow | None:
    """A clip with sound: of the split, else of any other."""
    rows: Sequence[ManifestRow] = [
        row for row in evaluation.version.rows if row.status == "published" and "clip_audio" in row.blobs
    ]
    of_split = [row for row in rows if row.split == evaluation.split]
    return next(iter(sorted(of_split or rows, key=lambda row: row.clip_id)), None)
