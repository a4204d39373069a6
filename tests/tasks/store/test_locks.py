from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.store.blobs import Store
from tasks.store.locks import StoreBusy, build_lock, sole_lock

HOLD = (
    "import sys, time; from pathlib import Path\n"
    "from tasks.store.blobs import Store; from tasks.store.locks import build_lock\n"
    "with build_lock(Store(Path(sys.argv[1]))):\n"
    "    print('held', flush=True); sys.stdin.read()\n"
)


def hold_elsewhere(store: Store) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(store.root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process


def test_builds_share_and_exclude_the_collector(store: Store) -> None:
    with (
        build_lock(store),
        build_lock(store),
        pytest.raises(StoreBusy, match="build is running"),
        sole_lock(store),
    ):
        raise AssertionError
    with sole_lock(store), pytest.raises(StoreBusy), sole_lock(store):
        raise AssertionError


def test_a_killed_builder_leaves_no_lock_and_its_scratch_goes(store: Store) -> None:
    process = hold_elsewhere(store)
    (store.root / "tmp" / "left").mkdir()
    (store.root / "tmp" / "left" / "half.mkv").write_bytes(b"half")
    (store.root / "tmp" / "loose").write_bytes(b"half")
    with pytest.raises(StoreBusy), sole_lock(store):
        raise AssertionError
    with build_lock(store):
        # the other builder is alive: what is in tmp/ may be its own
        assert len(list((store.root / "tmp").iterdir())) == 2
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    with sole_lock(store):
        pass
    with build_lock(store):
        assert list((store.root / "tmp").iterdir()) == []


def test_a_marker_that_another_builder_moves_away_meanwhile_is_no_fault(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_dir = Path.is_dir

    def moved_while_looking(path: Path) -> bool:
        if path.name == "marker":
            path.rename(store.root / "moved")
        return is_dir(path)

    (store.root / "tmp" / "marker").write_bytes(b"{}")
    monkeypatch.setattr(Path, "is_dir", moved_while_looking)
    with build_lock(store):
        assert (store.root / "moved").is_file()
