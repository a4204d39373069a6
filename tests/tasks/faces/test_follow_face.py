"""Following the main face, with a detector that answers by script."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from tasks.faces.boxes import landmark_box, overlap
from tasks.faces.face_landmarker import FoundFace, LandmarkedFace
from tasks.faces.follow_face import FaceSearch, FollowSettings, follow_face

GRID = np.stack(np.meshgrid(np.linspace(0, 1, 22), np.linspace(0, 1, 22), [0.0]), axis=-1).reshape(-1, 3)[
    :478
]


def face_at(left: float, top: float, side: float, *, score: float = 0.95) -> LandmarkedFace:
    points = GRID / GRID.max(axis=0, initial=1e-9) * [side, side, 0] + [left, top, 0]
    return LandmarkedFace(landmarks=points.astype(np.float32), score=score)


@dataclass
class Script:
    """Faces a frame; the frame's number is its first pixel."""

    faces: list[list[LandmarkedFace]]
    is_upright: bool = True
    searched: list[int] = field(default_factory=list)

    def find(self, frame: np.ndarray) -> list[FoundFace]:
        self.searched.append(int(frame[0, 0, 0]))
        boxes = [landmark_box(face.landmarks) for face in self.faces[frame[0, 0, 0]]]
        return [FoundFace(box=box, score=0.9) for box in sorted(boxes, key=lambda box: box[0] - box[2])]

    def landmarks(self, frame: np.ndarray, window: np.ndarray) -> list[LandmarkedFace]:
        faces = self.faces[frame[0, 0, 0]]
        return [face for face in faces if overlap(landmark_box(face.landmarks), window) > 0.1]

    def upright(self, frame: np.ndarray, window: np.ndarray) -> bool:
        return self.is_upright


def watch(script: Script, *, scenes: list[int] | None = None) -> FaceSearch:
    frames = []
    for index in range(len(script.faces)):
        frame = np.full((240, 320, 3), (scenes or [100] * 999)[index], np.uint8)
        frame[0, 0, 0] = index
        frames.append(frame)
    detector: Any = script
    return follow_face(frames, detector, settings=FollowSettings(), picture_change=0.05)


def lefts(found: FaceSearch) -> list[float]:
    return [round(float(x)) for x in found.landmarks[:, :, 0].min(axis=1)]


def test_follows_one_face_and_searches_rarely() -> None:
    script = Script([[face_at(50 + 5 * index, 60, 80)] for index in range(25)])
    found = watch(script)
    assert lefts(found) == [50 + 5 * index for index in range(25)]
    assert script.searched == [0, 10, 20]
    assert found.frame_size == (320, 240)
    assert np.isnan(found.turned).all()


def test_stays_with_the_first_face_when_another_comes_near() -> None:
    script = Script([[face_at(50, 60, 80), face_at(300 - 9 * index, 60, 90)] for index in range(15)])
    script.faces[0] = script.faces[0][:1]
    found = watch(script)
    assert lefts(found) == [50] * 15
    np.testing.assert_allclose(found.rival[[0, 10]], [0, (90 / 80) ** 2], rtol=1e-3)


def test_takes_the_largest_face_first() -> None:
    assert lefts(watch(Script([[face_at(10, 60, 60), face_at(200, 60, 80)]] * 3))) == [200] * 3


def test_a_lost_face_is_looked_for_in_the_whole_frame_at_once() -> None:
    script = Script([[face_at(20, 60, 60)]] * 3 + [[face_at(220, 120, 60)]] * 3)
    found = watch(script)
    assert lefts(found) == [20] * 3 + [220] * 3
    assert script.searched == [0, 3]


def test_no_face_leaves_gaps() -> None:
    found = watch(Script([[face_at(20, 60, 60)]] * 2 + [[]] * 3 + [[face_at(20, 60, 60)]]))
    assert np.isnan(found.landmarks[2:5]).all()
    np.testing.assert_array_equal(found.score > 0, [True, True, False, False, False, True])


def test_a_new_picture_gets_a_new_main_face() -> None:
    faces = [[face_at(20, 60, 60)]] * 3 + [[face_at(25, 60, 60), face_at(150, 60, 100)]] * 3
    assert lefts(watch(Script(faces), scenes=[100] * 3 + [200] * 3)) == [20] * 3 + [150] * 3


@pytest.mark.parametrize(("score", "tried"), [(0.95, False), (0.7, True)])
def test_unsure_faces_are_tried_turned(score: float, tried: bool) -> None:
    found = watch(Script([[face_at(50, 60, 80, score=score)]] * 12, is_upright=False))
    assert np.flatnonzero(found.turned == 1).tolist() == ([0, 10] if tried else [])


def test_a_face_that_leaves_the_frame_is_let_go() -> None:
    found = watch(Script([[face_at(-30 - 8 * index, 60, 100)] for index in range(8)]))
    assert (found.score[:3] > 0).all()
