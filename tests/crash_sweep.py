"""Kill a build at every step that a file system sees, then check the store and run the build again.

Prints one JSON line: how many points were tried and what went wrong. A script of its own, because it
forks: `python tests/crash_sweep.py build|rebuild|collect <scratch folder>`.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet

from tasks.store.blobs import Store
from tasks.store.garbage import collect
from tasks.store.recipes import recipe_of
from tasks.store.verify import verify_version
from tests.small_build import CUT, PAINT, build

STEPS = ("fsync", "replace", "rename", "link", "unlink", "mkdir", "rmdir")
KILLED, DONE, WRONG = 9, 0, 1


def first_build(root: Path) -> None:
    build(Store.create(root))


def next_version(root: Path) -> None:
    build(Store.create(root), salt="new")


def garbage_collection(root: Path) -> None:
    store = Store.create(root)
    collect(store)
    next_version(root)


def prepare_nothing(root: Path) -> None:
    pass


def prepare_garbage(root: Path) -> None:
    """A published version, an unpublished build's work and a killed build's leftovers."""
    store = Store.create(root)
    build(store)
    build(store, "doomed", salt="doomed")
    (root / "datasets" / "doomed" / "versions" / "000001.json").unlink()
    (root / "tmp" / "left").mkdir()
    (root / "tmp" / "left" / "half.mkv").write_bytes(b"half")


SCENARIOS: dict[str, tuple[Callable[[Path], None], Callable[[Path], None]]] = {
    "build": (prepare_nothing, first_build),
    "rebuild": (first_build, next_version),
    "collect": (prepare_garbage, garbage_collection),
}


def main() -> None:
    """Sweep one scenario."""
    prepare, scenario = SCENARIOS[sys.argv[1]]
    # read once, here: the project's own files may be edited while the sweep runs
    for stage in (CUT, PAINT):
        recipe_of(stage, stage.settings_type())
    # pyarrow imports pandas where it is installed: once, here, not in every child
    pyarrow.array([0.5])
    # a killed process loses no writes, so that real syncing would only cost time
    os.fsync = lambda _: None
    scratch = Path(sys.argv[2])
    base, reference, store = scratch / "base", scratch / "reference", scratch / "store"
    in_child(lambda: (base.mkdir(), prepare(base)))
    copy(base, reference)
    in_child(lambda: scenario(reference))
    before, after = published(base), published(reference)
    point, wrong, status = 0, [], KILLED
    while status == KILLED:
        point += 1
        copy(base, store)
        status = in_child(lambda point=point: (kill_at(point), scenario(store)))
        if in_child(lambda: again(store, scenario, before, after)):
            wrong.append(point)
    told = {"scenario": sys.argv[1], "points": point - 1, "wrong": wrong, "status": status}
    sys.stdout.write(json.dumps(told) + "\n")


def again(
    root: Path, scenario: Callable[[Path], None], before: dict[str, str], after: dict[str, str]
) -> None:
    """What a user does after a kill."""
    check(root, before, after, whole=False)
    scenario(root)
    check(root, before, after, whole=True)


def in_child(work: Callable[[], Any]) -> int:
    """Run in a forked process of its own; 0, 1 after an exception, or how it was killed."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException as fault:
            sys.stderr.write(f"{fault!r}\n")
            os._exit(WRONG)
        os._exit(DONE)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def kill_at(point: int) -> None:
    """End this process, as kill -9 would, just before its n-th call of one of STEPS."""
    calls = 0

    def dying(function: Callable[..., Any]) -> Callable[..., Any]:
        def called(*args: Any, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == point:
                os._exit(KILLED)
            return function(*args, **options)

        return called

    for step in STEPS:
        setattr(os, step, dying(getattr(os, step)))


def published(root: Path) -> dict[str, str]:
    """Every file that the lists of versions name, by an independent reading: path -> digest."""
    found = {}
    for entry_file in sorted((root / "datasets").glob("*/versions/*.json")):
        entry = json.loads(entry_file.read_bytes())
        folder = entry_file.parents[1] / entry["root"][:12]
        found[str(entry_file.relative_to(root))] = sha256(entry_file)
        for name, blob in entry["files"].items():
            assert sha256(folder / name) == blob["sha256"], f"{folder / name} is not what its entry says"
            found[str((folder / name).relative_to(root))] = blob["sha256"]
        for row in (
            pyarrow.parquet.ParquetFile(folder / "manifest.parquet").read(use_threads=False).to_pylist()
        ):
            for named in row["blobs"]:
                path = root / "cas" / named["sha256"][:2] / named["sha256"]
                assert sha256(path) == named["sha256"], f"{path} is not what its name says"
    return found


def check(root: Path, before: dict[str, str], after: dict[str, str], *, whole: bool) -> None:
    """Killed: what was published is as it was. Run again: all is as after an undisturbed run."""
    found = published(root)
    assert before.items() <= found.items(), "a published file changed or is gone"
    assert found.items() <= after.items(), "something was published that should not be"
    for path in (root / "cas").glob("??/*"):
        assert sha256(path) == path.name, f"{path} is half written"
    if not whole:
        return
    assert found == after
    store = Store(root)
    for name in {Path(path).parts[1] for path in found}:
        assert verify_version(store, name).findings == ()
    assert not list((root / "tmp").iterdir()), "tmp/ was not cleared"
    collect(store)
    assert published(root) == after
    assert collect(store).blobs == 0


def copy(source: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
