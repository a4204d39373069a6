import numpy as np
import pytest

from rendering.fitting.settings import FocalSettings, LandmarkFitSettings
from tasks.face_models.files import save_face_model
from tasks.stage import StageInput
from tasks.stages.estimate_focal import run
from tests.nodes import find_node
from tests.rendering.fitting.toy_face import CAMERA, toy_clip, toy_face_model

PART = {
    "first_frame": 3,
    "frames": 18,
    "frame_width": 512,
    "frame_height": 512,
    "source_width": 1024,
    "source_height": 1024,
}


@pytest.fixture(scope="module")
def blobs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("video")
    model = toy_face_model()
    save_face_model(folder / "model.npz", model)
    blobs = {}
    for index, seed in enumerate((0, 1)):
        clip = toy_clip(model, frames=24, yaw_deg=35, seed=seed)
        landmarks = clip.landmarks.copy()
        landmarks[:3] = np.nan  # outside the part
        path = folder / f"{index}.npz"
        np.savez(path, landmarks=landmarks, presence=clip.presence, score=clip.presence)
        blobs |= {f"landmarks/{index}": path, f"face_model/{index}": folder / "model.npz"}
    return blobs


def test_one_focal_for_the_video_in_source_pixels(blobs, tmp_path):
    settings = FocalSettings(
        landmarks=LandmarkFitSettings(noise=0.0015, pair_noise=0.0015), detector_spread=0.0, iterations=14
    )
    values = {"clips": [PART, PART]}
    output = run(StageInput(blobs=blobs, values=values, scratch=tmp_path), settings)
    assert output.files == {}
    assert output.values["focal_observable"] is True
    assert output.values["focal_ratio"] == pytest.approx(CAMERA.focal_x_px / 512, rel=0.06)
    assert output.values["focal_px"] == pytest.approx(1024 * output.values["focal_ratio"], rel=1e-6)


def test_stage_takes_all_clips_of_a_video():
    assert find_node("focal").per_video
    assert "landmarks" in find_node("focal").takes
