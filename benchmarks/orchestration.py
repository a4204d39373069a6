"""What the engine costs a clip and stage: 2,400 clips through six stages that do nothing.

`python -m benchmarks.orchestration` prints one JSON object. The limit it is measured against is 10 ms.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

from benchmarks.simulated_stage import STAGE, SimulatedSettings, simulated_node
from tasks.engine.clip import Clip
from tasks.engine.run_stage import RunSettings, fast_forward, run_stage
from tasks.engine.schedule import Schedule
from tasks.store.blobs import Store
from tasks.store.recipes import recipe_of

LIMIT_MS = 10.0


def simulated_clip(store: Store, number: int) -> Clip:
    """A clip whose source is one line of text."""
    digest = store.put_bytes(f"clip {number}".encode()).sha256
    return Clip(
        clip_id=f"{number:016x}",
        kind="wild",
        video_id=str(number),
        files={},
        blobs={"result": digest},
        values={},
    )


def build(store: Store, clips: list[Clip], *, stages: int, shard: int, workers: int) -> float:
    """Wall seconds of all stages over all clips, in shards, as build-dataset schedules them."""
    started = time.perf_counter()
    schedule = Schedule(workers)
    shards = [clips[start : start + shard] for start in range(0, len(clips), shard)]
    futures: list = shards
    for index in range(stages):
        futures = [
            schedule.submit(
                run_stage,
                simulated_node(f"stage_{index}"),
                future,
                label=f"shard {number}",
                store_root=store.root,
                settings=SimulatedSettings(index=index),
                run=RunSettings(),
            )
            for number, future in enumerate(futures)
        ]
    done = [clip for future in futures for clip in future.result()]
    schedule.close()
    assert all(clip.values["last"] == stages - 1 for clip in done)
    return time.perf_counter() - started


def rebuild(store: Store, clips: list[Clip], *, stages: int) -> float:
    """Wall seconds to find that every clip and stage is up to date."""
    started = time.perf_counter()
    for index in range(stages):
        recipe = recipe_of(STAGE, SimulatedSettings(index=index))
        found = [fast_forward([clip], simulated_node(f"stage_{index}"), recipe, store) for clip in clips]
        clips = [group[0] for group in found if group]
        assert len(clips) == len(found)
    return time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=2400)
    parser.add_argument("--stages", type=int, default=6)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = Store.create(Path(folder) / "store")
        clips = [simulated_clip(store, number) for number in range(options.clips)]
        built_s = build(store, clips, stages=options.stages, shard=100, workers=options.workers)
        found_s = rebuild(store, clips, stages=options.stages)
    steps = options.clips * options.stages
    figures = {
        "benchmark": "orchestration",
        "clips": options.clips,
        "stages": options.stages,
        "workers": options.workers,
        "ms_per_clip_and_stage": round(1e3 * built_s / steps, 3),
        "share_of_limit": round(1e3 * built_s / steps / LIMIT_MS, 3),
        "rebuild_ms_per_clip_and_stage": round(1e3 * found_s / steps, 4),
        "build_over_rebuild": round(built_s / found_s, 1),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
