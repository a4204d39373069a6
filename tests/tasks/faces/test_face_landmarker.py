"""MediaPipe on a real photograph: coordinates, sizes, turns and repeatability."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from mediapipe.framework.formats.landmark_pb2 import NormalizedLandmarkList
from skimage.data import astronaut

from tasks.faces.boxes import landmark_box, overlap, window_around
from tasks.faces.face_landmarker import FaceLandmarker, read_points

RIGHT_EYE, LEFT_EYE, CHIN = 33, 263, 152
TASK_FILE = Path(__file__).parents[4] / "shared" / "models" / "face_landmarker.task"


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    """The astronaut, (512, 512, 3); her face is about 110 px high around (223, 115)."""
    return astronaut()


@pytest.fixture(scope="module")
def landmarker() -> Iterator[FaceLandmarker]:
    with FaceLandmarker() as opened:
        yield opened


def landmarks_of(landmarker: FaceLandmarker, frame: np.ndarray) -> np.ndarray:
    (found, *_) = landmarker.find(frame)
    (face, *_) = landmarker.landmarks(frame, window_around(found.box, scale=2.0))
    assert 0.5 < face.score <= 1
    return face.landmarks


def test_points_of_a_message_are_those_it_holds() -> None:
    points = np.random.default_rng(0).normal(size=(478, 3)).astype(np.float32)
    points[3] = 0
    message = NormalizedLandmarkList()
    for x, y, z in points.tolist():
        message.landmark.add(x=x, y=y, z=z)
    np.testing.assert_array_equal(read_points(message), points)


def test_finds_the_face_where_it_is(landmarker: FaceLandmarker, photo: np.ndarray) -> None:
    landmarks = landmarks_of(landmarker, photo)
    assert landmarks.shape == (478, 3)
    assert landmarks.dtype == np.float32
    np.testing.assert_allclose(landmarks[RIGHT_EYE, :2], [193, 101], atol=6)
    np.testing.assert_allclose(landmarks[LEFT_EYE, :2], [258, 104], atol=6)
    assert 140 < landmarks[CHIN, 1] < 180


@pytest.mark.parametrize(
    ("scale", "width", "height"), [(1.0, 1280, 720), (0.8, 720, 1080), (3.5, 1400, 1200)]
)
def test_landmarks_are_in_pixels_of_the_frame(
    landmarker: FaceLandmarker, photo: np.ndarray, scale: float, width: int, height: int
) -> None:
    expected = landmarks_of(landmarker, photo)
    face = cv2.resize(photo[:300, 100:400], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    frame = np.full((height, width, 3), 128, np.uint8)
    left, top = width - face.shape[1] - 20, 30
    frame[top : top + face.shape[0], left : left + face.shape[1]] = face
    moved = (expected[:, :2] - [100, 0]) * scale + [left, top]
    eyes_px = scale * np.linalg.norm(expected[LEFT_EYE, :2] - expected[RIGHT_EYE, :2])
    error = np.linalg.norm(landmarks_of(landmarker, frame)[:, :2] - moved, axis=1)
    assert np.median(error) < 0.06 * eyes_px


def test_z_has_the_scale_of_x(landmarker: FaceLandmarker, photo: np.ndarray) -> None:
    landmarks = landmarks_of(landmarker, photo)
    double = landmarks_of(landmarker, cv2.resize(photo, (1024, 1024)))
    assert 0.4 < np.ptp(landmarks[:, 2]) / np.ptp(landmarks[:, 0]) < 1.2
    assert np.ptp(double[:, 2]) == pytest.approx(2 * np.ptp(landmarks[:, 2]), rel=0.1)


def test_a_window_over_the_frames_edge(landmarker: FaceLandmarker, photo: np.ndarray) -> None:
    expected = landmarks_of(landmarker, photo)
    cut = photo[50:]
    (face, *_) = landmarker.landmarks(cut, window_around(landmark_box(expected) - [0, 50, 0, 50], scale=2.0))
    assert overlap(np.add(landmark_box(face.landmarks), [0, 50, 0, 50]), landmark_box(expected)) > 0.8


def test_upside_down_is_noticed(landmarker: FaceLandmarker, photo: np.ndarray) -> None:
    box = landmark_box(landmarks_of(landmarker, photo))
    assert landmarker.upright(photo, window_around(box, scale=2.0))
    turned = np.ascontiguousarray(photo[::-1, ::-1])
    assert not landmarker.upright(turned, window_around(512 - box[[2, 3, 0, 1]], scale=2.0))


def test_no_face_in_noise(landmarker: FaceLandmarker) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (360, 640, 3), dtype=np.uint8)
    assert landmarker.find(noise) == []
    assert landmarker.landmarks(noise, np.array([100, 50, 400, 350])) == []


def test_a_fresh_one_gives_the_same_bits_whatever_came_before(
    landmarker: FaceLandmarker, photo: np.ndarray
) -> None:
    landmarks_of(landmarker, np.ascontiguousarray(photo[:, ::-1]))
    first = landmarks_of(landmarker, photo)
    with FaceLandmarker() as fresh:
        np.testing.assert_array_equal(landmarks_of(fresh, photo), first)


@pytest.mark.skipif(not TASK_FILE.exists(), reason="no face_landmarker.task beside the repository")
def test_the_tasks_interface_agrees(landmarker: FaceLandmarker, photo: np.ndarray) -> None:
    with FaceLandmarker(TASK_FILE) as by_task:
        found = landmarks_of(by_task, photo)
        assert "task" in by_task.name
    error = np.linalg.norm(found - landmarks_of(landmarker, photo), axis=1)
    assert np.median(error) < 3
