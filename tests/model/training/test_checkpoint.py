"""A checkpoint is whole or not there, whatever ends its writer."""

from __future__ import annotations

import hashlib
import json
import os
import shutil

import pytest
import torch
from safetensors import SafetensorError

from model.training import checkpoint
from model.training.checkpoint import newest_checkpoint, write_checkpoint
from tests.model.broken_disk import Stopped, stopping_at

FILES = ("SHA256SUMS", "checkpoint.json", "weights.safetensors", "optimizer.safetensors")


def write(folder, step, *, keep=2):
    weights = {"w": torch.full((3,), float(step)), "b": torch.tensor(step)}
    files = {"weights": weights, "optimizer": {"w/exp_avg": torch.arange(5) * step}}
    return write_checkpoint(folder, step=step, files=files, facts={"rate": step / 3}, keep=keep)


def state(folder):
    found = newest_checkpoint(folder)
    if found is None:
        return None
    assert found.facts == {"rate": found.step / 3}
    assert torch.equal(found.tensors("weights")["w"], torch.full((3,), float(found.step)))
    assert torch.equal(found.tensors("optimizer")["w/exp_avg"], torch.arange(5) * found.step)
    return found.step


def test_newest_is_read_back_and_the_oldest_go(tmp_path):
    assert newest_checkpoint(tmp_path / "none") is None
    for step in (1, 2, 9, 10, 100):
        write(tmp_path, step)
        assert state(tmp_path) == step
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00000010", "00000100"]
    assert newest_checkpoint(tmp_path).tensors("average") == {}


def test_same_state_is_the_same_bytes(tmp_path):
    first, second = write(tmp_path / "a", 7), write(tmp_path / "b", 7)
    assert sorted(path.name for path in first.iterdir()) == sorted(FILES)
    for name in FILES:
        assert (first / name).read_bytes() == (second / name).read_bytes()


def prepared(folder, number):
    """Two checkpoints, of which the newer is damaged where number is odd; the next write replaces it."""
    shutil.rmtree(folder, ignore_errors=True)
    write(folder, 1)
    damaged = write(folder, 2) / "weights.safetensors"
    if number % 2:
        damaged.write_bytes(b"")
    return 1 if number % 2 else 2


@pytest.mark.parametrize("damaged", [0, 1])
def test_a_kill_between_any_two_file_operations_leaves_the_old_or_the_new(tmp_path, damaged):
    seen, point, stopped = set(), 0, True
    while stopped:
        before = prepared(tmp_path, damaged)
        after = 2 if damaged else 3
        point += 1
        try:
            with stopping_at(point, checkpoint):
                write(tmp_path, after, keep=1)
            stopped = False
        except Stopped:
            pass
        found = state(tmp_path)
        assert found in (before, after), point
        seen.add(found)
        # the same command again
        write(tmp_path, after, keep=1)
        assert state(tmp_path) == after
        assert [path.name for path in tmp_path.iterdir()] == [f"{after:08d}"]
    assert seen == {before, after}
    assert point > 12


def flip(path):
    held = bytearray(path.read_bytes())
    held[len(held) // 2] ^= 1
    path.write_bytes(held)


def edit(path):
    record = json.loads((path.parent / "checkpoint.json").read_bytes())
    record["facts"]["rate"] = 5
    (path.parent / "checkpoint.json").write_text(json.dumps(record))


DAMAGES = {
    "flipped": flip,
    "cut": lambda path: os.truncate(path, path.stat().st_size - 2),
    "emptied": lambda path: path.write_bytes(b""),
    "gone": lambda path: path.unlink(),
    "edited": edit,
    "not a record": lambda path: (path.parent / "checkpoint.json").write_text("[1]"),
    "another's": lambda path: shutil.copy(path.parents[1] / "00000001" / "checkpoint.json", path.parent),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_named_and_passed_over(tmp_path, caplog, name, damage):
    write(tmp_path, 1)
    path = write(tmp_path, 2)
    DAMAGES[damage](path / name)
    assert state(tmp_path) == 1
    (record,) = caplog.records
    assert str(path) in record.message
    if damage in ("flipped", "cut", "emptied", "gone"):
        assert name in record.message


def test_every_file_is_listed_as_sha256sum_lists_them(tmp_path):
    path = write(tmp_path, 1)
    lines = (path / "SHA256SUMS").read_text().splitlines()
    sums = {name: hashlib.sha256((path / name).read_bytes()).hexdigest() for name in sorted(FILES[1:])}
    assert lines == [f"{digest}  {name}" for name, digest in sums.items()]


def test_checkpoints_after_the_one_that_was_whole_are_replaced(tmp_path):
    for step in (1, 2, 3):
        write(tmp_path, step, keep=3)
    flip(tmp_path / "00000002" / "weights.safetensors")
    flip(tmp_path / "00000003" / "weights.safetensors")
    assert state(tmp_path) == 1
    write(tmp_path, 2, keep=3)
    assert state(tmp_path) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00000001", "00000002"]


def test_a_full_disk_is_named_and_leaves_the_older_ones(tmp_path, monkeypatch):
    write(tmp_path, 1)

    def full(tensors, path):
        path.write_bytes(b"half")
        raise SafetensorError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save_file", full)
        with pytest.raises(OSError, match=r"weights\.safetensors.*No space left"):
            write(tmp_path, 2)
    assert state(tmp_path) == 1
    write(tmp_path, 2)
    assert state(tmp_path) == 2


def test_another_format_is_refused_not_passed_over(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "FORMAT", checkpoint.FORMAT + 1)
        write(tmp_path, 1)
    with pytest.raises(ValueError, match="has format 3, this program reads 2"):
        newest_checkpoint(tmp_path)
