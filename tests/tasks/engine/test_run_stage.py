"""One stage over a shard: the ledger, damaged blobs, missing inputs, clips of one video, moving sources."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.dag import WILD
from tasks.engine.clip import Clip
from tasks.engine.run_stage import RunSettings, clip_groups, fast_forward, run_stage
from tasks.engine.worker_pool import Worker
from tasks.reasons import Reason
from tasks.store.actions import find_action
from tasks.store.blobs import CorruptBlob, Store, file_digest
from tasks.store.recipes import recipe_of
from tests.engine_stages.behaviour import NODE, STAGE, Nothing

LIMITS = RunSettings(job_timeout_s=60)

MakeClip = Callable[..., Clip]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "store")


@pytest.fixture
def make_clip(tmp_path: Path) -> MakeClip:
    """A clip whose source is a file with an order."""

    def make(order: str, *, name: str = "a", video: str = "v", suffix: str = "") -> Clip:
        path = tmp_path / f"{name}.source"
        path.write_text(order)
        return Clip(
            clip_id=name,
            kind="wild",
            video_id=video,
            files={"source": str(path)},
            blobs={"source": file_digest(path)},
            values={"suffix": suffix, "unread": name},
        )

    return make


def run(store: Store, clips: Sequence[Clip]) -> list[Clip]:
    return run_stage.fn(NODE, clips, label="", store_root=store.root, settings=Nothing(), run=LIMITS)


def forward(store: Store, clip: Clip) -> list[Clip] | None:
    return fast_forward([clip], NODE, recipe_of(STAGE, Nothing()), store)


def test_a_clip_gets_its_blobs_values_and_step(store: Store, make_clip: MakeClip) -> None:
    (done,) = run(store, [make_clip("two words", suffix="!")])
    assert store.checked_blob(done.blobs["result"]).read_text() == "two words!"
    assert done.values["words"] == 2
    (step,) = done.steps
    assert (step.stage, step.reused) == ("behaviour", False)
    action = find_action(store, step.key)
    assert action
    assert action.outputs["result"].sha256 == done.blobs["result"]
    assert list((store.root / "tmp").iterdir()) == []


def test_a_verdict_leaves_the_other_clips_alone(store: Store, make_clip: MakeClip) -> None:
    clips = [
        make_clip("fine"),
        make_clip("reject", name="b"),
        make_clip("die", name="c"),
        make_clip("x y", name="d"),
    ]
    done = run(store, clips)
    assert [clip.reason for clip in done] == [None, Reason.NO_FACE, Reason.CRASHED, None]
    assert [clip.clip_id for clip in done] == ["a", "b", "c", "d"]


def test_a_rejected_clip_is_left_as_it_is(store: Store, make_clip: MakeClip) -> None:
    rejected = make_clip("fine").rejected(Reason.TOO_SHORT, "3 frames")
    assert run(store, [rejected]) == [rejected]


def test_finished_work_is_found_and_not_done_again(
    store: Store, make_clip: MakeClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = [make_clip("fine"), make_clip("reject", name="b")]
    done = run(store, clips)
    monkeypatch.setattr(Worker, "run", None)
    again = run(store, clips)
    assert [clip.blobs for clip in again] == [clip.blobs for clip in done]
    assert [clip.reason for clip in again] == [clip.reason for clip in done]
    assert all(clip.steps[0].reused for clip in again)


def test_a_verdict_that_may_be_the_machines_fault_is_not_kept(store: Store, make_clip: MakeClip) -> None:
    clip = make_clip("die")
    run(store, [clip])
    assert forward(store, clip) is None


@pytest.mark.parametrize(
    ("change", "known"),
    [({"suffix": "?"}, False), ({"unread": "other"}, True), ({}, True)],
)
def test_the_key_holds_what_the_stage_reads(
    change: dict[str, str], known: bool, store: Store, make_clip: MakeClip
) -> None:
    clip = make_clip("fine")
    run(store, [clip])
    other = clip.model_copy(update={"clip_id": "b", "values": clip.values | change})
    assert (forward(store, other) is not None) == known


def test_a_clip_without_the_input_passes_by(store: Store, make_clip: MakeClip) -> None:
    clip = make_clip("fine").model_copy(update={"blobs": {}, "files": {}})
    assert run(store, [clip]) == [clip]


def test_a_clip_passes_a_stage_by_only_where_the_dag_says_so(store: Store, make_clip: MakeClip) -> None:
    clip = make_clip("fine").model_copy(update={"blobs": {"crop": "1" * 64}, "files": {}})
    strict = replace(NODE, skip=None)
    with pytest.raises(LookupError, match=r"behaviour of clip a takes 'source'.*has \['crop'\]"):
        fast_forward([clip], strict, recipe_of(STAGE, Nothing()), store)


def test_a_clip_that_has_a_stage_behind_it_passes_it_by(store: Store, make_clip: MakeClip) -> None:
    (done,) = run(store, [make_clip("fine")])
    assert run(store, [done]) == [done]


def test_a_missing_blob_means_that_the_stage_runs_again(store: Store, make_clip: MakeClip) -> None:
    clip = make_clip("fine")
    (done,) = run(store, [clip])
    store.blob_path(done.blobs["result"]).unlink()
    assert forward(store, clip) is None
    (again,) = run(store, [clip])
    assert again.blobs == done.blobs
    assert store.checked_blob(done.blobs["result"])


def test_a_damaged_blob_is_never_read(store: Store, make_clip: MakeClip) -> None:
    blob = store.put_bytes(b"fine words")
    clip = make_clip("fine words").model_copy(update={"blobs": {"source": blob.sha256}, "files": {}})
    path = store.blob_path(blob.sha256)
    path.chmod(0o644)
    path.write_bytes(b"fine wards")
    with pytest.raises(CorruptBlob, match=blob.sha256):
        run(store, [clip])
    assert not path.exists()
    assert list((store.root / "actions").iterdir()) == []


def test_a_source_that_changed_under_the_build_is_unreadable_and_not_kept_as_another(
    store: Store, make_clip: MakeClip
) -> None:
    clip = make_clip("fine")
    Path(clip.files["source"]).write_text("changed since")
    (done,) = run(store, [clip])
    assert done.reason is Reason.UNREADABLE
    assert "changed" in str(done.detail)
    assert "result" not in done.blobs


def test_a_source_that_is_gone_is_unreadable(store: Store, make_clip: MakeClip) -> None:
    clip = make_clip("fine")
    Path(clip.files["source"]).unlink()
    (done,) = run(store, [clip])
    assert done.reason is Reason.UNREADABLE


def test_clips_of_one_video_are_one_group_for_a_stage_that_takes_them_together(make_clip: MakeClip) -> None:
    clips = [make_clip("x", name=name, video=video) for name, video in (("c", "v"), ("b", "w"), ("a", "v"))]
    focal, fit = (node for node in WILD if node.name in ("focal", "fit"))
    together = clip_groups(focal, clips)
    assert [[clip.clip_id for clip in group] for group in together] == [["a", "c"], ["b"]]
    assert [len(group) for group in clip_groups(fit, clips)] == [1, 1, 1]
