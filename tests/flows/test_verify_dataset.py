"""verify-dataset on a real version and, where the code or the tools change, on a simulated one."""

from __future__ import annotations

import queue
from collections import defaultdict
from pathlib import Path

import pytest

from flows.build_dataset import build_dataset
from flows.verify_dataset import VerifyDatasetSettings, verify_dataset
from tasks.engine import worker_pool
from tasks.store import fingerprints
from tasks.store.blobs import Store
from tasks.store.verify import Verification
from tests.conftest import RealBuild
from tests.simulated_build import CLIPS, simulated_settings, simulated_stages, write_clips
from tests.source_folder import BAD, GOOD, SPEAKER

REFUSED_AT_SIGHT = {"fifo.mp4", "outside.mp4", "empty.mp4", "silent_again.mp4"}


def verify(store: Store, name: str = "small", *, recompute: object = 0) -> Verification:
    settings = VerifyDatasetSettings.model_validate(
        {"store": store.root, "name": name, "recompute": recompute}
    )
    outcome = verify_dataset.fn(settings)
    assert outcome.exit_code == bool(outcome.verified.findings)
    return outcome.verified


def flip_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(bytes(content))


def test_every_stage_of_every_clip_gives_the_same_bytes_again(real_build: RealBuild) -> None:
    verified = verify(real_build.store, recompute="all")
    assert verified.findings == ()
    assert verified.recomputed == len(real_build.rows) - len(REFUSED_AT_SIGHT)
    assert BAD.keys() > REFUSED_AT_SIGHT


@pytest.mark.parametrize("role", ["depth", "fit"])
def test_a_flipped_bit_is_found_and_named_and_the_next_build_heals_it(
    role: str, real_build: RealBuild, own_store: Store
) -> None:
    digest = real_build.rows[SPEAKER].blobs[role]
    flip_bit(own_store.blob_path(digest))
    (finding,) = verify(own_store).findings
    assert finding.kind == "blob"
    assert digest in finding.detail
    healed = build_dataset.fn(real_build.settings.model_copy(update={"store": own_store.root}))
    assert (healed.version, healed.changed) == (real_build.outcome.version, False)
    assert verify(own_store).findings == ()


def test_clips_whose_files_are_gone_are_recomputed_from_the_first_stages_on(
    real_build: RealBuild,
) -> None:
    parts = [real_build.sources / part for part in ("clips", "studio")]
    for part in parts:
        part.rename(part.with_name(f"gone {part.name}"))
    try:
        verified = verify(real_build.store, recompute="all")
    finally:
        for part in parts:
            part.with_name(f"gone {part.name}").rename(part)
    assert verified.findings == ()
    assert verified.recomputed > len(GOOD) + 12


@pytest.fixture
def words(tmp_path: Path) -> Store:
    """A version of simulated stages."""
    settings = simulated_settings(write_clips(tmp_path / "clips"), tmp_path / "store")
    with simulated_stages():
        build_dataset.fn(settings)
    return Store(settings.store)


def test_the_first_stage_that_a_new_tool_changes_is_named(
    words: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPEAT_TOOL", "new")
    monkeypatch.setattr(worker_pool, "_idle_workers", defaultdict(queue.LifoQueue))
    version_of = fingerprints._fingerprint
    monkeypatch.setattr(
        fingerprints, "_fingerprint", lambda name: "9.9" if name == "scipy" else version_of(name)
    )
    with simulated_stages():
        verified = verify(words, "words", recompute="all")
    assert {finding.stage for finding in verified.findings} == {"repeat"}
    assert len(verified.findings) == len(CLIPS)
    assert all("tool scipy" in finding.detail for finding in verified.findings)
    assert all("crop: byte 0 is the first to differ" in finding.detail for finding in verified.findings)


def test_a_stage_that_does_not_repeat_itself_is_named(words: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPEAT_TOOL", "new")
    monkeypatch.setattr(worker_pool, "_idle_workers", defaultdict(queue.LifoQueue))
    with simulated_stages():
        (finding,) = verify(words, "words", recompute=1).findings
    assert finding.stage == "repeat"
    assert "unstable" in finding.detail


def test_sources_that_changed_since_are_not_taken_for_the_old_ones(words: Store, tmp_path: Path) -> None:
    write_clips(tmp_path / "clips", dict.fromkeys(CLIPS, "other"))
    with simulated_stages():
        assert verify(words, "words", recompute="all").findings == ()


def test_without_recomputation_no_stage_runs(real_build: RealBuild, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_pool.Worker, "run", None)
    verified = verify(real_build.store)
    assert (verified.findings, verified.recomputed) == ((), 0)
    assert verified.blobs >= len(GOOD) * 6 + 12
