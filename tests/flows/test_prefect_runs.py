"""What a Prefect server shows of a build, and how a large build is divided; simulated stages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from prefect import flow, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import State
from prefect.testing.utilities import prefect_test_harness

from benchmarks.orchestration import simulated_clip
from benchmarks.simulated_stage import SimulatedSettings, simulated_node
from flows.outcome import Outcome, goal
from model.samples.manifest import ManifestRow
from model.settings import Settings
from tasks.chain import Node
from tasks.dag import STUDIO, WILD
from tasks.dataset import plan
from tasks.dataset.plan import MOST_SHARDS, make_groups, make_shards
from tasks.dataset.run_pending import Pending, run_pending
from tasks.dataset.settings import BuildSettings, StageSettings
from tasks.engine.clip import Clip
from tasks.engine.schedule import call_flow, flow_log
from tasks.engine.worker_pool import StorageError
from tasks.progress import StageProgress
from tasks.report.artifacts import publish_artifacts
from tasks.report.facts import BuildFacts, StageTiming
from tasks.store.blobs import Store
from tests.engine_stages.behaviour import NODE as BEHAVIOUR
from tests.engine_stages.behaviour import Nothing

STAGES = ("cut", "paint")
NODES = tuple(map(simulated_node, STAGES))

TIMING = StageTiming(stage="cut", clips=5, frames=0, cpu_s=1.0, wall_s=1.0, reused=0)
FACTS = BuildFacts(
    name="tiny", root="ab" * 32, number=1, change=None, sources=(), settings={}, tools={}, licences={},
    rejected_at={}, timings=(TIMING,),
)  # fmt: skip
REFUSED = ManifestRow(
    clip_id="a" * 16, kind="wild", source_name="a.mp4", subject_id="anna", split="train",
    status="quarantined", reason="no_face", detail="no face in 8 frames",
)  # fmt: skip


@pytest.fixture(autouse=True)
def simulated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two stages that write a line of text each, and one that does what its input says."""
    settings = {stage: SimulatedSettings(index=index) for index, stage in enumerate(STAGES)}
    monkeypatch.setattr(StageSettings, "by_name", lambda self: {**settings, "behaviour": Nothing()})


@pytest.fixture(scope="module")
def server() -> Iterator[None]:
    with prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.fixture
def no_server() -> Iterator[None]:
    with temporary_settings({PREFECT_API_URL: None}):
        yield


def clip_that(store: Store, order: str) -> Clip:
    clip = simulated_clip(store, 0)
    return clip.model_copy(update={"blobs": {"source": store.put_bytes(order.encode()).sha256}})


def build(
    root: Path, clips: list[Clip], *, nodes: tuple[Node, ...] = NODES, shard_clips: int = 100
) -> list[Clip]:
    """All clips through their stages, one shard at a time."""
    settings = BuildSettings(store=root, name="tiny", workers=1, shard_clips=shard_clips)
    with StageProgress(log=flow_log()) as progress:
        return run_pending(
            [Pending(nodes=nodes, clips=clips)], settings=settings, store_root=root, progress=progress
        )


def run_in_flow(work: Callable[[], Any]) -> tuple[FlowRun, State[Any]]:
    """A flow run around `work`, as the server knows it afterwards."""

    @flow(name="tiny", flow_run_name="tiny {name}")
    def tiny(name: str) -> None:
        work()

    state = tiny("one", return_state=True)
    with get_client(sync_client=True) as client:
        return client.read_flow_run(state.state_details.flow_run_id), state


def recorded(kind: str, run: FlowRun, *, least: int, state: str | None = None) -> list[dict[str, Any]]:
    """Task runs, artifacts or logs of a flow run; the server records them a moment after they happened."""
    field = "logs" if kind == "logs" else "flow_runs"
    chosen = {"flow_run_id": {"any_": [str(run.id)]}} if kind == "logs" else {"id": {"any_": [str(run.id)]}}
    found: list[dict[str, Any]] = []
    with get_client(sync_client=True) as client:
        for _ in range(2000):
            rows = client._client.post(f"/{kind}/filter", json={field: chosen}).json()
            found = [row for row in rows if state in (None, row.get("state_type"))]
            if len(found) >= least:
                break
    return found


@pytest.mark.slow
def test_a_run_shows_its_shards_its_lines_and_its_tables(tmp_path: Path, server: None) -> None:
    store = Store.create(tmp_path)
    clips = [simulated_clip(store, number) for number in range(5)]

    def work() -> None:
        build(store.root, clips)
        publish_artifacts([REFUSED], FACTS)

    run, _ = run_in_flow(work)
    assert run.name == "tiny one"
    task_runs = recorded("task_runs", run, least=8, state="COMPLETED")
    assert sorted(task["name"] for task in task_runs) == [
        f"{stage} shard {number} of 4" for stage in STAGES for number in (1, 2, 3, 4)
    ]
    # one worker: one task run after the other
    spans = sorted((task["start_time"], task["end_time"]) for task in task_runs)
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    artifacts = {artifact["key"] for artifact in recorded("artifacts", run, least=4)}
    assert artifacts == {"tiny-card", "tiny-funnel", "tiny-refused", "tiny-throughput"}
    lines = {line["message"] for line in recorded("logs", run, least=5)}
    assert {"cut: 5 of 5 clips", "paint: 5 of 5 clips"} <= lines


@pytest.mark.slow
def test_a_large_build_is_child_runs_with_readable_names(
    tmp_path: Path, server: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "MOST_SHARDS", 2)
    store = Store.create(tmp_path)
    clips = [simulated_clip(store, number) for number in range(3)]
    run, state = run_in_flow(lambda: build(store.root, clips, shard_clips=1))
    assert state.is_completed()
    calls = recorded("task_runs", run, least=2)
    children = [call["state"]["state_details"]["child_flow_run_id"] for call in calls]
    with get_client(sync_client=True) as client:
        names = [client.read_flow_run(child).name for child in children]
    assert sorted(names) == ["clips 1 to 2 of 3", "clips 3 to 3 of 3"]


@pytest.mark.slow
def test_a_disk_that_fails_fails_the_run_in_its_own_words(tmp_path: Path, server: None) -> None:
    store = Store.create(tmp_path)
    clips = [clip_that(store, "full")]
    run, state = run_in_flow(lambda: build(store.root, clips, nodes=(BEHAVIOUR, NODES[1])))
    assert state.is_failed()
    with pytest.raises(StorageError, match="No space left on device"):
        state.result()
    (failed,) = recorded("task_runs", run, least=1, state="FAILED")
    assert (failed["name"], failed["run_count"]) == ("behaviour shard 1 of 1", 2)


class Order(Settings):
    """What a test flow shall do."""

    code: int = 0
    nothing: bool = False
    error: bool = False


class Done(Outcome):
    """What a test flow did."""

    code: int
    nothing: bool

    @property
    def exit_code(self) -> int:
        return self.code

    @property
    def nothing_changed(self) -> bool:
        return self.nothing


@goal("obey {settings.code}")
def obey(settings: Order) -> Done:
    """Do what the order says."""
    if settings.error:
        raise ValueError("the order is wrong")
    return Done(code=settings.code, nothing=settings.nothing)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("order", "state"),
    [
        (Order(), "Completed"),
        (Order(nothing=True), "Nothing changed"),
        (Order(code=1), "Failed"),
        (Order(code=1, nothing=True), "Failed"),
    ],
)
def test_the_state_of_a_run_says_whether_all_was_done(server: None, order: Order, state: str) -> None:
    ended = obey(order, return_state=True)
    assert ended.name == state
    with get_client(sync_client=True) as client:
        seen = client.read_flow_run(ended.state_details.flow_run_id)
    assert (seen.name, seen.state.name) == (f"obey {order.code}", state)
    assert call_flow(obey, order) == Done(code=order.code, nothing=order.nothing), (
        "the caller gets the outcome"
    )


@pytest.mark.slow
def test_an_error_of_a_flow_stays_an_error(server: None) -> None:
    with pytest.raises(ValueError, match="the order is wrong"):
        call_flow(obey, Order(error=True))


def test_without_a_flow_run_a_goal_is_its_function(no_server: None) -> None:
    assert obey.fn(Order(code=1)) == call_flow(obey, Order(code=1)) == Done(code=1, nothing=False)
    assert obey.name == "obey"


def test_without_a_server_a_large_build_is_the_same_clips(tmp_path: Path, no_server: None) -> None:
    store = Store.create(tmp_path)
    clips = [simulated_clip(store, number) for number in range(MOST_SHARDS + 1)]
    divided = build(store.root, clips, shard_clips=1)
    assert sorted(clip.clip_id for clip in divided) == [clip.clip_id for clip in clips]
    assert all([step.stage for step in clip.steps] == ["simulated"] * 2 for clip in divided)
    again = build(store.root, clips)
    assert {c.clip_id: c.blobs for c in again} == {c.clip_id: c.blobs for c in divided}


def videos(*sizes: int) -> list[Clip]:
    """Clips of videos of so many clips each."""
    return [
        Clip(clip_id=f"{video}-{k}", kind="wild", video_id=str(video), files={}, blobs={}, values={})
        for video, size in enumerate(sizes)
        for k in range(size)
    ]


@pytest.mark.parametrize("workers", [1, 2, 8])
@pytest.mark.parametrize("clips", [1, 7, 300, 1200])
def test_a_flow_run_has_at_most_150_task_runs(clips: int, workers: int) -> None:
    shards = make_shards(videos(*[3] * (clips // 3), clips % 3), workers=workers, largest=100)
    assert sum(map(len, shards)) == clips
    assert max(map(len, shards)) <= 100
    assert len(shards) * (len(WILD.names) + len(STUDIO.names)) <= 156
    assert len(shards) >= min(workers, (clips + 2) // 3)


def test_the_clips_of_a_video_stay_in_one_group_and_shard() -> None:
    clips = videos(5, 900, 600, 30, 1300, 2)
    groups = make_groups(clips, largest=1200)
    assert [len(group) for group in groups] == [905, 630, 1300, 2]
    for parts in (groups, make_shards(clips, workers=2, largest=100)):
        homes = [{clip.video_id for clip in part} for part in parts]
        assert sum(map(len, homes)) == 6
