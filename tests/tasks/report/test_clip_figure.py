from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from model.samples.manifest import ManifestRow
from rendering.face_model import FaceModel
from tasks.face_models.files import load_face_model
from tasks.media.video_files import write_video
from tasks.report.clip_figure import build_clip_figure, posed_vertices

MakeRow = Callable[..., ManifestRow]
ClipPaths = Mapping[str, Path]


@pytest.fixture(scope="module")
def face_model(clip_files: ClipPaths) -> FaceModel:
    return load_face_model(clip_files["face_model"])


def test_all_strips_have_one_picture_for_each_shown_moment(make_row: MakeRow, clip_files: ClipPaths) -> None:
    figure = build_clip_figure(make_row(), clip_files)
    assert [strip.label for strip in figure.strips] == [
        "source",
        "crop",
        "landmarks",
        "mesh",
        "depth",
        "mask",
    ]
    assert {len(strip.tiles) for strip in figure.strips} == {6}
    assert figure.columns == ("0.02 s", "0.10 s", "0.14 s", "0.18 s", "0.26 s", "0.30 s")
    assert figure.color_bar is not None
    assert figure.track is not None


@pytest.mark.parametrize(
    "missing", ["video", "crop_landmarks", "fit", "depth", "mask", "clip_audio", "face_model"]
)
def test_what_has_no_file_is_left_out(make_row: MakeRow, clip_files: ClipPaths, missing: str) -> None:
    files = {role: path for role, path in clip_files.items() if role != missing}
    figure = build_clip_figure(make_row(), files)
    gone = {"video": "source", "crop_landmarks": "landmarks", "fit": "mesh", "face_model": "mesh"}
    assert gone.get(missing, missing) not in {strip.label for strip in figure.strips}
    assert len(figure.strips) == (6 if missing == "clip_audio" else 5)
    assert ("no sound" in str(figure.track)) == (missing == "clip_audio")


def test_the_source_is_shown_from_where_the_published_part_begins(
    make_row: MakeRow, clip_files: ClipPaths, tmp_path: Path
) -> None:
    frames = [np.full((64, 64, 3), 20 * k, np.uint8) for k in range(12)]
    write_video(tmp_path / "video.mp4", frames, profile="source")
    files = {"crop": clip_files["crop"], "video": tmp_path / "video.mp4"}
    whole = build_clip_figure(make_row(), files)
    part = build_clip_figure(make_row(first_frame=4), files)
    assert len(set(whole.strips[0].tiles) & set(part.strips[0].tiles)) == 3


def test_a_pose_turns_about_the_head_and_then_moves_it(face_model: FaceModel, tmp_path: Path) -> None:
    np.savez(
        tmp_path / "fit.npz",
        identity=np.zeros(50, np.float32),
        expression=np.zeros((2, 25), np.float32),
        rotation=np.float32([[0, 0, 0], [0, 0, np.pi / 2]]),
        translation=np.float32([[0, 0, 1], [0.1, 0, 2]]),
    )
    still, turned = posed_vertices(face_model, tmp_path / "fit.npz", [0, 1])
    x, y, z = face_model.mean.T
    assert still == pytest.approx(np.stack([x, y, z + 1], axis=-1), abs=1e-6)
    assert turned == pytest.approx(np.stack([0.1 - y, x, z + 2], axis=-1), abs=1e-6)


def test_a_capture_shows_its_registered_mesh(
    make_row: MakeRow, clip_files: ClipPaths, face_model: FaceModel, tmp_path: Path
) -> None:
    np.savez(
        tmp_path / "capture.npz",
        vertices=face_model.mean[None] + np.float32([0, 0, 0.6]),
        triangles=face_model.triangles,
        skin_triangles=face_model.skin_triangles,
    )
    row = make_row("S1/smile", kind="studio", fps=None, frames=1)
    captured = build_clip_figure(row, {"crop": clip_files["crop"], "capture": tmp_path / "capture.npz"})
    fitted = build_clip_figure(make_row(frames=1), clip_files)
    meshes = [
        strip.tiles for figure in (captured, fitted) for strip in figure.strips if strip.label == "mesh"
    ]
    assert len(meshes) == 2
    assert meshes[0] == meshes[1]
    assert captured.track is None


def test_a_clip_of_fewer_frames_than_columns_shows_each_once(
    make_row: MakeRow, clip_files: ClipPaths
) -> None:
    figure = build_clip_figure(make_row(frames=3), {"crop": clip_files["crop"]})
    assert len(figure.strips[0].tiles) == 3
