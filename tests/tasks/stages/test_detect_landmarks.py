"""The landmarks stage on real faces: the part it keeps, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tasks.faces.face_landmarker import FaceLandmarker
from tasks.faces.follow_face import FaceSearch, follow_face
from tasks.media.video_files import write_video
from tasks.reasons import Reason, Rejected
from tasks.stage import StageInput
from tasks.stages.detect_landmarks import Judged, LandmarkSettings, judge, run
from tests.face_clips import moving_face, other_scene, side_by_side, without_face
from tests.nodes import find_node

SETTINGS = LandmarkSettings()


def watched(frames: list[np.ndarray]) -> FaceSearch:
    with FaceLandmarker() as landmarker:
        return follow_face(
            frames, landmarker, settings=SETTINGS.watch, picture_change=SETTINGS.cuts.weak_change
        )


def judged(frames: list[np.ndarray], *, source_scale: float = 1.0) -> Judged:
    return judge(watched(frames), SETTINGS, source_scale=source_scale)


def refused(frames: list[np.ndarray], *, source_scale: float = 1.0) -> Rejected:
    with pytest.raises(Rejected) as error:
        judged(frames, source_scale=source_scale)
    return error.value


def test_a_good_clip_is_kept_whole() -> None:
    found = judged(moving_face(20))
    assert (found.values["first_frame"], found.values["frames"]) == (0, 20)
    assert found.values["part_reason"] is None
    assert found.landmarks.shape == (20, 478, 3)
    assert found.presence.all()
    moved = (found.landmarks[-1, :, :2] - found.landmarks[0, :, :2]).mean(axis=0)
    np.testing.assert_allclose(moved, [-1.6 * 0.6 * 19, -1.6 * 0.3 * 19], atol=2)


def test_a_lost_face_divides_the_clip() -> None:
    found = judged([*moving_face(6), *without_face(4), *moving_face(20, first=10)])
    assert (found.values["first_frame"], found.values["frames"]) == (10, 20)
    assert found.values["part_reason"] == "lost_face"
    assert found.presence.tolist() == [1] * 6 + [0] * 4 + [1] * 20
    assert np.isnan(found.landmarks[6:10]).all()


def missed(watch: FaceSearch, *frames: int) -> FaceSearch:
    """The same, with nothing found in some frames."""
    landmarks, score = watch.landmarks.copy(), watch.score.copy()
    landmarks[list(frames)] = np.nan
    score[list(frames)] = 0
    return replace(watch, landmarks=landmarks, score=score)


def test_a_missed_frame_is_interpolated_and_marked() -> None:
    found = judge(missed(watched(moving_face(25)), 12), SETTINGS, source_scale=1.0)
    assert found.values["frames"] == 25
    assert found.values["gap_frames"] == 1
    assert np.flatnonzero(found.presence == 0).tolist() == [12]
    np.testing.assert_allclose(found.landmarks[12], found.landmarks[[11, 13]].mean(axis=0), atol=1e-3)


def test_too_many_gaps_are_not_bridged() -> None:
    found = judge(missed(watched(moving_face(30)), 3, 5, 7), SETTINGS, source_scale=1.0)
    assert (found.values["first_frame"], found.values["frames"]) == (8, 22)
    assert found.values["gap_frames"] == 0
    assert found.values["part_reason"] == "lost_face"


def test_a_cut_divides_the_clip() -> None:
    found = judged([*moving_face(19), *other_scene(22)])
    assert (found.values["first_frame"], found.values["frames"]) == (19, 22)
    assert found.values["part_reason"] == "scene_cut"
    assert found.presence.all()


def test_only_short_shots_are_refused() -> None:
    assert refused([*moving_face(10), *other_scene(10)]).reason == Reason.SCENE_CUT


def test_nobody_is_refused() -> None:
    assert refused(without_face(20)).reason == Reason.NO_FACE


def test_a_face_seen_too_briefly_is_refused() -> None:
    watch = missed(watched(moving_face(20)), *range(10, 20))
    with pytest.raises(Rejected, match="need 18") as error:
        judge(watch, SETTINGS, source_scale=1.0)
    assert error.value.reason == Reason.LOST_FACE


def test_two_faces_are_refused() -> None:
    mirrored = [np.ascontiguousarray(frame[:, ::-1]) for frame in moving_face(20)]
    assert refused(side_by_side(moving_face(20), mirrored)).reason == Reason.MANY_FACES


def test_a_small_second_face_is_not_minded() -> None:
    small = [np.kron(np.full((20, 20, 1), 90), np.ones((16, 8, 3))).astype(np.uint8) for _ in range(18)]
    for picture, frame in zip(small, moving_face(18), strict=True):
        picture[100:228, 20:148] = frame[::2, ::2][16:144, 16:144]
    assert judged(side_by_side(moving_face(18), small)).values["frames"] == 18


def test_size_counts_in_source_pixels() -> None:
    error = refused(moving_face(18), source_scale=0.5)
    assert error.reason == Reason.SMALL_FACE
    height_px = judged(moving_face(18), source_scale=2.0).values["face_height_px"]
    assert 300 < height_px < 420


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_turned_heads_are_refused(turns: int) -> None:
    frames = [np.ascontiguousarray(np.rot90(frame, turns)) for frame in moving_face(18)]
    assert refused(frames).reason in {Reason.BAD_POSE, Reason.NO_FACE}


def test_faces_turned_far_aside_are_left_out() -> None:
    watch = watched(moving_face(40))
    turned = watch.landmarks.copy()
    middle = turned[25:].mean(axis=1, keepdims=True)
    angle = np.radians(75)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    turned[25:] = (turned[25:] - middle) @ turn.T + middle
    found = judge(replace(watch, landmarks=turned), SETTINGS, source_scale=1.0)
    assert found.values["frames"] == 25
    assert found.values["part_reason"] == "bad_pose"


def test_the_stage_reads_a_video_and_writes_the_same_bytes_again(tmp_path: Path) -> None:
    video = tmp_path / "video.mp4"
    write_video(video, moving_face(18), profile="source")
    outputs = []
    for name in ("one", "two"):
        scratch = tmp_path / name
        scratch.mkdir()
        given = StageInput(
            blobs={"video": video}, values={"source_width": 640, "source_height": 640}, scratch=scratch
        )
        outputs.append(run(given, SETTINGS))
    assert outputs[0].values == outputs[1].values
    assert outputs[0].values["face_height_px"] > 300
    assert outputs[0].files["landmarks"].read_bytes() == outputs[1].files["landmarks"].read_bytes()
    with np.load(outputs[0].files["landmarks"]) as arrays:
        assert {name: array.shape for name, array in arrays.items()} == {
            "landmarks": (18, 478, 3),
            "presence": (18,),
            "score": (18,),
        }
    assert set(outputs[0].files) == set(find_node("landmarks").gives)
