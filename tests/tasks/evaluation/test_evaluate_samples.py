"""Samples and a talking clip as an evaluation writes them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from model.pipelines.pipeline_image import PortraitRGBD
from tasks.evaluation.evaluate_samples import COLUMNS, People, sample_strips, talking_clip, write_samples
from tasks.evaluation.results import SAMPLES, SampleEvaluation
from tasks.evaluation.score_samples import Sampled, choose_identities
from tasks.media.video_files import SAMPLES_PER_FRAME, write_audio
from tests.model.tiny_pipelines import SIDE_PX, video_pipeline
from tests.tasks.evaluation.synthetic_frames import faces, row_of, synthetic_frames
from tests.tasks.evaluation.test_write_page import FACTS, samples

COUNT = COLUMNS + 2


@pytest.fixture(scope="module")
def people() -> People:
    identities = choose_identities(synthetic_frames([(f"p{index}", 2) for index in range(COUNT)]), most=COUNT)
    made = PortraitRGBD(rgb=identities.reference, depth_code=faces(COUNT), depth_m=None)
    sampled = Sampled(scores=samples().scores, with_reference=made, without_reference=made)
    return People(identities=identities, sampled=sampled, steps=2, seeds=2)


def test_a_strip_has_a_tile_for_each_of_the_first_persons(people: People) -> None:
    strips = list(sample_strips(people.identities, people.sampled))
    assert [name for name, *_ in strips] == [
        "sample_reference",
        "sample_seen_rgb",
        "sample_seen_depth",
        "sample_alone_rgb",
        "sample_alone_depth",
    ]
    assert {len(tiles) for *_, tiles in strips} == {COLUMNS}
    assert np.array_equal(strips[0][3][0], strips[1][3][0])


@pytest.mark.parametrize("talks", [True, False])
def test_what_is_written_is_what_is_returned(people: People, tmp_path: Path, talks: bool) -> None:
    facts = {name: FACTS[name] for name in FACTS if name not in ("strips", "steps", "seeds")}
    tiles = [np.zeros((8, 24, 3), np.uint8)] * 2 if talks else []
    result = write_samples.fn(SimpleNamespace(facts=facts), people, tiles, out=tmp_path)
    assert result == SampleEvaluation.model_validate_json((tmp_path / SAMPLES).read_bytes())
    assert (result.talking == "pictures/talking.webp") is talks
    assert all((tmp_path / strip.file).is_file() for strip in result.strips)


def evaluation(tmp_path: Path, *, frames: int, video) -> SimpleNamespace:
    audio = tmp_path / "clip.wav"
    random = np.random.default_rng(0)
    write_audio(audio, random.integers(-3000, 3000, frames * SAMPLES_PER_FRAME).astype(np.int16))
    row = row_of("a", frames=frames, blobs={"clip_audio": "0" * 64})
    return SimpleNamespace(
        video=video,
        version=SimpleNamespace(rows=[row]),
        split="test",
        store=SimpleNamespace(checked_blob=lambda _digest: audio),
        clips=SimpleNamespace(
            chosen=lambda _row, places: [
                SimpleNamespace(rgb=torch.full((1, 3, SIDE_PX, SIDE_PX), 0.5)) for _ in places
            ]
        ),
    )


def test_a_clip_talks_as_long_as_its_sound_beside_its_portrait(tmp_path: Path) -> None:
    tiles = talking_clip.fn(evaluation(tmp_path, frames=4, video=video_pipeline()), steps=1)
    assert len(tiles) == 4
    side = tiles[0].shape[0]
    assert tiles[0].shape == (side, 3 * side, 3)
    assert all((tile[:, :side] == round(0.75 * 255)).all() for tile in tiles)
    assert not np.array_equal(tiles[0][:, side:], tiles[1][:, side:])


def test_without_a_motion_stage_or_sound_nothing_talks(tmp_path: Path) -> None:
    assert talking_clip.fn(evaluation(tmp_path, frames=4, video=None), steps=1) == []
    silent = evaluation(tmp_path, frames=4, video=video_pipeline())
    silent.version.rows = [row_of("a")]
    assert talking_clip.fn(silent, steps=1) == []
