"""A short embedded clip: the same every time, found by the detector, and truth that agrees with it."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from rendering.builtin.head import builtin_head
from rendering.camera import Camera
from rendering.synthetic.portrait import skin_depth
from rendering.synthetic.talking_head import Speaker
from tasks.embedded.make_clips import DEPTH_FRAMES, TAKES, make_embedded_clips

SHORT = replace(TAKES[1], speaker=Speaker(seed=23, duration_s=0.4, yaw_deg=24.0, pitch_hz=205.0))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("embedded")
    make_embedded_clips(out, takes=(SHORT,))
    return out


def read_frames(path: Path) -> list[np.ndarray]:
    video, frames = cv2.VideoCapture(str(path)), []
    while (got := video.read())[0]:
        frames.append(got[1][..., ::-1])
    return frames


def test_the_same_call_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    paths = make_embedded_clips(tmp_path, takes=(SHORT,))
    assert [path.name for path in paths] == ["speaker_1.mp4", "astronaut.mp4"]
    for name in ("clips/speaker_1.mp4", "clips/astronaut.mp4", "truth/speaker_1.npz"):
        assert (folder / name).read_bytes() == (tmp_path / name).read_bytes(), name


def test_the_detector_finds_the_face_where_the_truth_has_it(folder: Path) -> None:
    import mediapipe

    frames = read_frames(folder / "clips" / "speaker_1.mp4")
    assert len(frames) == 12
    truth = np.load(folder / "truth" / "speaker_1.npz", allow_pickle=False)
    with mediapipe.solutions.face_mesh.FaceMesh(static_image_mode=True, max_num_faces=2) as detector:
        for index, depth_m in zip(truth["depth_frames"], truth["depth_m"], strict=True):
            (face,) = detector.process(np.ascontiguousarray(frames[index])).multi_face_landmarks
            pixels = np.array([[point.x, point.y] for point in face.landmark]) * [640, 480]
            rows, columns = np.nonzero(depth_m)
            assert np.abs(pixels.mean(axis=0) - [columns.mean(), rows.mean()]).max() < 40
            assert (depth_m[tuple(pixels[[4, 50, 280]].astype(int).T[::-1])] > 0).all()  # nose and cheeks


def test_the_true_depth_follows_from_the_true_parameters(folder: Path) -> None:
    truth = np.load(folder / "truth" / "speaker_1.npz", allow_pickle=False)
    assert len(truth["depth_frames"]) == DEPTH_FRAMES
    model = builtin_head().face_model
    kept = truth["depth_frames"]
    heads = model.vertices(truth["identity"], truth["expression"][kept])
    rotation = Rotation.from_rotvec(truth["rotation"][kept]).as_matrix()
    placed = np.einsum("nij,nvj->nvi", rotation, heads) + truth["translation"][kept][:, None]
    camera = Camera.centered(float(truth["focal_px"]), *truth["size_px"].tolist())
    again = skin_depth(model, placed.astype(np.float32), camera)
    both = (again > 0) & (truth["depth_m"] > 0)
    assert both.sum() > 0.99 * (truth["depth_m"] > 0).sum() > 50_000
    assert np.quantile(np.abs(again - truth["depth_m"])[both], 0.99) < 1e-5


def test_the_takes_differ() -> None:
    assert len(TAKES) >= 4
    for values in (
        {take.file_name for take in TAKES},
        {take.speaker.seed for take in TAKES},
        {take.appearance for take in TAKES},
        {take.lamp_from for take in TAKES},
        {take.room for take in TAKES},
    ):
        assert len(values) == len(TAKES)
    assert {round(float(take.frame_rate), 2) for take in TAKES} == {25.0, 30.0, 29.97}
    assert {Path(take.file_name).suffix for take in TAKES} == {".mp4", ".mkv"}
