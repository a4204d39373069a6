"""The crop stage: which square, the video and landmarks of the part in its pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rendering.crop_square import Square
from tasks.media.video_files import read_frames, write_video
from tasks.media.video_index import video_size
from tasks.stage import StageInput
from tasks.stages.crop_clip import ChosenCrop, CropSettings, choose_crop, run
from tests.nodes import find_node

BOXES = np.tile([300.0, 200.0, 400.0, 320.0], (20, 1))


def chosen(boxes: np.ndarray, width: int, height: int, **declared: float) -> ChosenCrop:
    return choose_crop(boxes, width=width, height=height, declared=declared or None, settings=CropSettings())


def test_the_square_holds_the_face_with_margin() -> None:
    crop = chosen(BOXES, 1280, 720)
    assert crop == ChosenCrop(square=Square(left=218, top=102, side=264), source="face", padded=False)


def test_a_square_over_the_edge_moves_inside() -> None:
    crop = chosen(BOXES - [290, 0, 290, 0], 1280, 720)
    assert not crop.padded
    assert crop.square == Square(left=0, top=102, side=264)


def test_a_square_larger_than_the_frame_shrinks() -> None:
    crop = chosen(BOXES - [0, 130, 0, 130], 1280, 230)
    assert crop.square.side == 230
    assert not crop.padded


def test_a_face_cut_by_the_edge_is_padded_and_says_so() -> None:
    crop = chosen(BOXES - [330, 0, 330, 0], 1280, 720)
    assert crop.padded
    assert crop.square.left < 0
    assert crop.source == "face"


def test_a_frame_that_is_a_crop_already_is_taken_whole() -> None:
    crop = chosen(np.tile([130.0, 110.0, 370.0, 400.0], (9, 1)), 512, 512)
    assert crop == ChosenCrop(square=Square(left=0, top=0, side=512), source="whole_frame", padded=False)
    assert chosen(BOXES / 2, 512, 512).source == "face"


def test_a_declared_crop_is_taken_at_this_frames_scale() -> None:
    crop = chosen(BOXES, 1280, 720, x=300, y=180, w=400, h=400, ref_height=1080)
    assert crop.source == "declared"
    assert crop.square == Square(left=200, top=120, side=267)


@pytest.mark.parametrize(
    "wrong",
    [
        {"ref_height": 0},
        {"ref_height": 720, "x": 900},
        {"y": 900},
        {"w": 1080, "h": 1080, "x": 0, "y": 0, "ref_height": 1080},
    ],
)
def test_a_declared_crop_that_cannot_be_right_is_not_taken(wrong: dict[str, float]) -> None:
    declared = {"x": 300.0, "y": 180.0, "w": 400.0, "h": 400.0, "ref_height": 1080.0, **wrong}
    assert chosen(BOXES, 1280, 720, **declared).source == "face"


def dotted_frames(count: int) -> list[np.ndarray]:
    """A bright dot of 9 px whose middle is (200.5 + k, 150.5) on grey, (300, 400)."""
    frames = []
    for index in range(count):
        frame = np.full((300, 400, 3), 60, np.uint8)
        frame[146:155, 196 + index : 205 + index] = 250
        frames.append(frame)
    return frames


@pytest.fixture
def given(tmp_path: Path) -> StageInput:
    """30 frames; the part is frames 10 .. 28; a landmark follows the dot."""
    write_video(tmp_path / "video.mp4", dotted_frames(30), profile="source")
    landmarks = np.zeros((30, 478, 3), np.float32)
    landmarks[:, :, :2] = np.random.default_rng(0).uniform([150, 100], [250, 200], (478, 2))
    landmarks[:, 0] = [200.5, 150.5, 8]
    landmarks[:, :, 0] += np.arange(30)[:, None]
    presence = np.ones(30, np.float32)
    presence[11] = 0
    np.savez(tmp_path / "landmarks.npz", landmarks=landmarks, presence=presence, score=presence)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return StageInput(
        blobs={"video": tmp_path / "video.mp4", "landmarks": tmp_path / "landmarks.npz"},
        values={"first_frame": 10, "frames": 19},
        scratch=scratch,
    )


def test_video_and_landmarks_are_of_the_part_and_agree(given: StageInput) -> None:
    output = run(given, CropSettings(side_px=128))
    crops = list(read_frames(output.files["crop"], pixel_format="rgb24"))
    with np.load(output.files["crop_landmarks"]) as arrays:
        landmarks, presence = arrays["landmarks"], arrays["presence"]
    assert len(crops) == len(landmarks) == 19
    assert presence.tolist() == [1] + [0] + [1] * 17
    transform = np.reshape(output.values["crop_transform"], (3, 3))
    for index in (0, 18):
        weights = np.clip(crops[index][:, :, 0].astype(float) - 100, 0, None)
        rows, columns = np.indices(weights.shape) + 0.5
        dot = np.array([(weights * columns).sum(), (weights * rows).sum()]) / weights.sum()
        np.testing.assert_allclose(landmarks[index, 0, :2], dot, atol=0.15)
        np.testing.assert_allclose((transform @ [210.5 + index, 150.5, 1])[:2], dot, atol=0.15)
    assert landmarks[0, 0, 2] == pytest.approx(8 * transform[0, 0])


def test_values_say_what_was_done(given: StageInput) -> None:
    output = run(given, CropSettings(side_px=128))
    values: dict[str, Any] = dict(output.values)
    assert (values["first_frame"], values["frames"]) == (10, 19)
    assert (values["frame_width"], values["frame_height"], values["crop_side_px"]) == (400, 300, 128)
    assert values["crop_transform"][0] == pytest.approx(128 / values["crop_size_px"])
    assert values["crop_padded"] is False
    assert set(output.files) == set(find_node("crop").gives)


def test_the_same_bytes_again(given: StageInput, tmp_path: Path) -> None:
    again = tmp_path / "again"
    again.mkdir()
    first = run(given, CropSettings(side_px=128))
    second = run(StageInput(blobs=given.blobs, values=given.values, scratch=again), CropSettings(side_px=128))
    for role, path in first.files.items():
        assert path.read_bytes() == second.files[role].read_bytes()


def whole_frame(tmp_path: Path, *, frames: int, first: int, count: int, width: int = 128) -> StageInput:
    """A video whose face fills its left square, of which a part is to be cropped."""
    pictures = np.random.default_rng(0).integers(0, 256, (frames, 128, width, 3)).astype(np.uint8)
    write_video(tmp_path / "video.mp4", pictures, profile="source")
    landmarks = np.random.default_rng(1).uniform(30, 100, (frames, 478, 3)).astype(np.float32)
    np.savez(tmp_path / "landmarks.npz", landmarks=landmarks)
    (tmp_path / "scratch").mkdir()
    return StageInput(
        blobs={"video": tmp_path / "video.mp4", "landmarks": tmp_path / "landmarks.npz"},
        values={"first_frame": first, "frames": count},
        scratch=tmp_path / "scratch",
    )


def test_a_video_that_is_its_own_crop_is_not_coded_again(tmp_path: Path) -> None:
    given = whole_frame(tmp_path, frames=12, first=0, count=12)
    output = run(given, CropSettings(side_px=128))
    assert output.values["crop_source"] == "whole_frame"
    assert output.files["crop"].read_bytes() == given.blobs["video"].read_bytes()
    assert given.blobs["video"] != output.files["crop"]


@pytest.mark.parametrize(("first", "count", "side"), [(1, 11, 128), (0, 11, 128), (0, 12, 64)])
def test_a_part_or_another_size_is_coded(tmp_path: Path, first: int, count: int, side: int) -> None:
    given = whole_frame(tmp_path, frames=12, first=first, count=count)
    output = run(given, CropSettings(side_px=side))
    assert output.values["crop_source"] == "whole_frame"
    crops = list(read_frames(output.files["crop"], pixel_format="rgb24"))
    assert np.shape(crops) == (count, side, side, 3)


def test_a_square_at_the_corner_of_a_wider_frame_is_cut_out(tmp_path: Path) -> None:
    given = whole_frame(tmp_path, frames=12, first=0, count=12, width=256)
    declared = {"x": 0.0, "y": 0.0, "w": 128.0, "h": 128.0, "ref_height": 128.0}
    cut = StageInput(
        blobs=given.blobs, values={**given.values, "declared_crop": declared}, scratch=given.scratch
    )
    output = run(cut, CropSettings(side_px=128))
    assert np.array_equal(np.reshape(output.values["crop_transform"], (3, 3)), np.eye(3))
    assert video_size(output.files["crop"]) == (128, 128)
