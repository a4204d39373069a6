"""What the store costs: looking up, recording, publishing and finding that nothing changed.

`python -m benchmarks.store` prints one JSON object; times are CPU seconds, the least of several runs. The
limit for a look-up is 0.3 ms.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from model.samples.manifest import ManifestRow
from tasks.store.actions import Action, find_action, record_action
from tasks.store.blobs import Blob, Store
from tasks.store.build_memo import build_key, find_build, remember_build
from tasks.store.publish import publish
from tasks.store.recipes import action_key
from tasks.store.versions import LockFacts

LOOK_UP_LIMIT_MS = 0.3


def least_cpu_s(work: Callable[[], object], runs: int = 3) -> float:
    """CPU seconds of the fastest run."""
    times = []
    for _ in range(runs):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


def make_actions(blobs: list[Blob], stages: int) -> list[Action]:
    """Finished actions as a build of talking clips leaves them, two outputs each."""
    return [
        Action(
            stage=f"stage {stage}",
            recipe=f"{stage:064x}",
            inputs={"video": blob.sha256, "face_model": "f" * 64},
            given={"focal_px": 1100.0},
            outputs={"first": blob, "second": blob},
            values={"frames": 75, "crop_transform": [0.5] * 9},
            wall_s=1.0,
        )
        for blob in blobs
        for stage in range(stages)
    ]


def make_rows(actions: list[Action], stages: int) -> list[ManifestRow]:
    """A published row for every clip, with as many blobs as stages."""
    return [
        ManifestRow(
            clip_id=f"{number:016x}",
            kind="wild",
            source_name=f"talk {number}.mp4",
            subject_id=f"subject {number % 50}",
            split="train",
            status="published",
            focal_px=1100.5,
            crop_transform=(0.5,) * 9,
            blobs={f"role {k}": actions[number * stages + k].outputs["first"].sha256 for k in range(stages)},
        )
        for number in range(len(actions) // stages)
    ]


def measure(store: Store, *, clips: int, stages: int) -> dict[str, float]:
    """All figures of a store with that many clips and stages."""
    blobs = [store.put_bytes(f"clip {number}".encode() * 100) for number in range(clips)]
    actions = make_actions(blobs, stages)
    record_s = least_cpu_s(lambda: [record_action(store, action) for action in actions], runs=1)
    keys_s = least_cpu_s(lambda: [action_key(a.recipe, inputs=a.inputs, given=a.given) for a in actions])
    keys = [action.key for action in actions]
    find_s = least_cpu_s(lambda: [find_action(store, key) for key in keys])
    rows = make_rows(actions, stages)
    steps = {
        row.clip_id: [(actions[k].stage, keys[k]) for k in range(n * stages, (n + 1) * stages)]
        for n, row in enumerate(rows)
    }
    facts = LockFacts(settings={}, catalogue="", models={}, recipes={}, splits={})
    started = time.process_time()
    published = publish(store, "big", rows=rows, facts=facts, actions=steps, pages={}, base=0)
    publish_s = time.process_time() - started
    key = build_key("big", facts=None)
    remember_build(store, key, root=published.root)
    unchanged_s = least_cpu_s(lambda: find_build(store, "big", key))
    return {
        "look_up_ms": round(1000 * (keys_s + find_s) / len(actions), 4),
        "look_up_limit_ms": LOOK_UP_LIMIT_MS,
        "record_ms": round(1000 * record_s / len(actions), 3),
        "publish_s": round(publish_s, 3),
        "nothing_changed_s": round(unchanged_s, 3),
        "all_look_ups_over_nothing_changed": round((keys_s + find_s) / unchanged_s, 1),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=2400)
    parser.add_argument("--stages", type=int, default=8)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = Store.create(Path(folder) / "store")
        figures = measure(store, clips=asked.clips, stages=asked.stages)
    print(json.dumps({"clips": asked.clips, "stages": asked.stages, **figures}))


if __name__ == "__main__":
    main()
