from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tasks.media.video_files import write_video
from tasks.store.first_difference import first_difference


def depth_video(path: Path, frames: int, changed: dict[int, int]) -> Path:
    picture = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
    write_video(path, [picture + np.uint16(changed.get(k, 0)) for k in range(frames)], profile="depth")
    return path


def npz(path: Path, **arrays: object) -> Path:
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


def test_videos_are_compared_frame_by_frame(tmp_path: Path) -> None:
    old = depth_video(tmp_path / "old.mkv", 6, {})
    new = depth_video(tmp_path / "new.mkv", 6, {3: 2, 5: 7})
    assert first_difference("depth", old=old, new=new) == (
        "frame 3 of 6 is the first to differ; largest difference 7"
    )
    shorter = depth_video(tmp_path / "shorter.mkv", 5, {})
    assert first_difference("depth", old=old, new=shorter) == "frame 5: (64, 64) became nothing"


def test_equal_frames_in_other_containers(tmp_path: Path) -> None:
    old = depth_video(tmp_path / "old.mkv", 2, {})
    new = tmp_path / "new.mkv"
    new.write_bytes(old.read_bytes() + b"\xec\x81\x00")
    assert first_difference("depth", old=old, new=new).endswith("only the container differs")


def test_arrays_are_compared_by_name(tmp_path: Path) -> None:
    points = np.zeros((5, 3), np.float32)
    moved = points.copy()
    moved[2, 1] = 0.25
    old = npz(tmp_path / "old.npz", landmarks=points, score=points)
    new = npz(tmp_path / "new.npz", landmarks=moved, score=points)
    told = first_difference("landmarks", old=old, new=new)
    assert told == "landmarks: frame 2 of 5 is the first to differ; largest difference 0.25"


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"fit": np.zeros((4, 3))}, "fit: float64 (5, 3) became float64 (4, 3)"),
        ({"fit": np.zeros((5, 3), np.float32)}, "fit: float64 (5, 3) became float32 (5, 3)"),
        ({"other": np.zeros(5)}, "arrays ['fit'] became ['other']"),
    ],
)
def test_arrays_of_another_kind(tmp_path: Path, arrays: dict[str, object], told: str) -> None:
    old, new = npz(tmp_path / "old.npz", fit=np.zeros((5, 3))), npz(tmp_path / "new.npz", **arrays)
    assert first_difference("fit", old=old, new=new) == told


def test_not_a_number_is_not_itself_a_difference(tmp_path: Path) -> None:
    old = np.array([np.nan, 1.0, 2.0])
    new = np.array([np.nan, 1.0, 2.5])
    told = first_difference("fit", old=npz(tmp_path / "a.npz", x=old), new=npz(tmp_path / "b.npz", x=new))
    assert "frame 2 of 3" in told


def test_other_files_are_compared_as_bytes(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"x" * (1 << 20) + b"abc")
    (tmp_path / "new").write_bytes(b"x" * (1 << 20) + b"aXcd")
    told = first_difference("plan", old=tmp_path / "old", new=tmp_path / "new")
    assert (
        told == f"byte {(1 << 20) + 1} is the first to differ; {(1 << 20) + 3} bytes became {(1 << 20) + 4}"
    )


def test_a_longer_file_differs_where_the_shorter_ends(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"ab")
    (tmp_path / "new").write_bytes(b"abc")
    assert first_difference("plan", old=tmp_path / "old", new=tmp_path / "new").startswith("byte 2 ")
