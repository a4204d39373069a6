"""Whole builds of real, small sources: closed books, and the same version wherever it is built."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from flows.build_dataset import build_dataset
from model.samples.manifest import ManifestRow
from tasks.media.video_files import read_frames
from tasks.store.blobs import Store
from tasks.store.rows import merkle_root
from tasks.store.versions import read_rows
from tests.conftest import RealBuild, RunCommand
from tests.source_folder import BAD, FRAMES, GOOD, SECRET, SILENT, copy_sources

VIDEOS = {"crop": "rgb24", "depth": "gray16le", "mask": "gray"}


@pytest.fixture(scope="module")
def published(real_build: RealBuild) -> dict[str, ManifestRow]:
    return {name: row for name, row in real_build.rows.items() if row.status == "published"}


def test_every_source_is_one_row_with_its_reason(real_build: RealBuild) -> None:
    """hallo #132, #228: a clip without a usable face left empty folders and no word why."""
    rows = real_build.rows
    captures = {name for name, row in rows.items() if row.kind == "studio"}
    assert rows.keys() - captures == GOOD | BAD.keys()
    assert {name: row.reason for name, row in rows.items() if row.status == "quarantined"} == BAD
    assert len(captures) == 12
    assert all(row.detail for name, row in rows.items() if name in BAD)


def test_the_outcome_counts_the_rows(real_build: RealBuild) -> None:
    outcome, rows = real_build.outcome, real_build.rows.values()
    assert outcome.published + sum(outcome.quarantined.values()) == len(rows)
    assert outcome.version == merkle_root(list(rows))
    assert (outcome.changed, outcome.number, outcome.exit_code) == (True, 1, 0)


def test_blobs_frames_and_samples_of_a_published_clip_agree(
    real_build: RealBuild, published: dict[str, ManifestRow]
) -> None:
    for name in GOOD:
        row = published[name]
        paths = {role: real_build.store.checked_blob(digest) for role, digest in row.blobs.items()}
        assert row.frames == FRAMES
        for role, pixel_format in VIDEOS.items():
            assert sum(1 for _ in read_frames(paths[role], pixel_format=pixel_format)) == FRAMES, role
        with np.load(paths["fit"]) as fit, np.load(paths["crop_landmarks"]) as found:
            assert fit["expression"].shape == (FRAMES, 25)
            assert found["landmarks"].shape == (FRAMES, 478, 3)
        assert row.audio_samples == (640 * FRAMES if row.has_audio else None)
        assert row.has_audio == ("clip_audio" in row.blobs) == ("speech" in row.blobs)
        assert row.depth_near_m
        assert row.depth_far_m
        assert 0.2 < row.depth_near_m < row.depth_far_m < 3


def test_a_clip_without_sound_is_published_without_sound(published: dict[str, ManifestRow]) -> None:
    assert {name for name in GOOD if not published[name].has_audio} == {SILENT}


def test_nothing_outside_the_sources_was_read(real_build: RealBuild) -> None:
    film = (real_build.sources / "planted" / "secret.mp4").read_bytes()
    held = [path for path in real_build.store.root.rglob("*") if path.is_file()]
    assert not [path for path in held if SECRET in path.read_bytes()]
    assert hashlib.sha256(film).hexdigest() not in {path.name for path in held}
    assert real_build.rows["concat.mp4"].blobs == real_build.rows["playlist.mp4"].blobs == {}


def test_nothing_is_left_of_the_work(real_build: RealBuild) -> None:
    assert list((real_build.store.root / "tmp").iterdir()) == []
    assert list((real_build.store.root / "quarantine").iterdir()) == []


@pytest.fixture(scope="module")
def elsewhere(real_build: RealBuild, run_command: RunCommand, tmp_path_factory: pytest.TempPathFactory):
    """The same sources built by one worker in another place, order and environment: (its line, sources)."""
    root = tmp_path_factory.mktemp("else where")
    copy_sources(real_build.sources, root / "ünï", names=GOOD | BAD.keys())
    ended = run_command(
        "build-dataset",
        *("--clips", "ünï/clips", "--studio", "ünï/studio", "--face-model", real_build.face_model),
        *("--store", "st ore", "--name", "small", "--workers", "1", "--shard-clips", "5"),
        cwd=root,
        env={
            "PREFECT_HOME": str(root / "prefect"),
            "TZ": "Asia/Kathmandu",
            "LC_ALL": "C",
            "PYTHONHASHSEED": "7",
            "OMP_NUM_THREADS": "3",
        },
        umask=0o077,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.splitlines()[-1]), root


def test_the_version_depends_on_sources_and_settings_only(real_build: RealBuild, elsewhere) -> None:
    told, _ = elsewhere
    assert told["version"] == real_build.outcome.version
    assert told["quarantined"] == real_build.outcome.quarantined


def test_the_last_line_is_the_result(elsewhere) -> None:
    told, root = elsewhere
    assert {"name", "version", "published", "quarantined", "store"} <= told.keys()
    assert Path(told["store"]) == root / "st ore"
    assert told["published"] == len(GOOD) + 12


def test_a_build_without_a_server_starts_none(elsewhere) -> None:
    _, root = elsewhere
    assert not list(root.rglob("*.db")), "a server keeps its database there"


def test_bad_files_change_nothing_for_good_ones(
    real_build: RealBuild, elsewhere, published: dict[str, ManifestRow], tmp_path: Path
) -> None:
    copy_sources(real_build.sources, tmp_path, names=GOOD)
    settings = real_build.settings.model_copy(
        update={
            "clips": (tmp_path / "clips",),
            "studio": (tmp_path / "studio",),
            "store": elsewhere[1] / "st ore",
            "name": "without-bad",
        }
    )
    alone = build_dataset.fn(settings)
    rows = read_rows(Store(settings.store), "without-bad", number=alone.number)
    assert {row.source_name: row for row in rows} == published
    assert alone.quarantined == {}
