import hashlib

import numpy as np
import pytest

from rendering.face_model import FaceModel
from rendering.fitting.settings import FitSettings, PhotometricSettings, QualitySettings
from rendering.relighting.shading import ambient_light, render_image, shade_vertices
from tasks.face_models.files import save_face_model
from tasks.media.video_files import write_video
from tasks.reasons import Reason, Rejected
from tasks.stage import StageInput
from tasks.stages.fit_clip import crop_camera, run
from tests.rendering.fitting.toy_face import CAMERA, ToyClip, posed_vertices, toy_clip, toy_face_model
from tests.tasks.small_clips import count_frames

VALUES = {
    "focal_ratio": CAMERA.focal_x_px / 512,
    "frame_width": 512,
    "frame_height": 512,
    "crop_transform": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
    "crop_side_px": 512,
    "first_frame": 100,
}
LANDMARKS_ALONE = FitSettings(photometric=None)
PHOTOMETRIC = FitSettings(photometric=PhotometricSettings(samples=120, iterations=1))


@pytest.fixture(scope="module")
def blobs(tmp_path_factory):
    """A toy clip on disk as the crop stage leaves it."""
    folder = tmp_path_factory.mktemp("clip")
    model = toy_face_model()
    clip = toy_clip(model, frames=24)
    save_face_model(folder / "model.npz", model)
    write_video(folder / "crop.mp4", pictures(model, clip), profile="crop")
    np.savez(folder / "landmarks.npz", landmarks=clip.landmarks, presence=clip.presence, score=clip.presence)
    return {
        "face_model": folder / "model.npz",
        "crop": folder / "crop.mp4",
        "crop_landmarks": folder / "landmarks.npz",
    }


def pictures(model: FaceModel, clip: ToyClip):
    colors = np.full((len(model.mean), 3), 0.6) * (1 + 0.2 * np.sin(model.mean[:, :1] * 400))
    vertices = posed_vertices(model, clip.parameters).astype(np.float32)
    shaded = shade_vertices(vertices, model.triangles, colors, ambient_light(np.ones(3)))
    background = np.full((512, 512, 3), 0.2, np.float32)
    for placed, color in zip(vertices, shaded, strict=True):
        picture = render_image(
            placed, model.triangles, CAMERA, colors=color, background=background, samples=1
        )
        yield (255 * np.clip(picture, 0, 1)).astype(np.uint8)


def spoilt(blobs, folder, frames):
    with np.load(blobs["crop_landmarks"]) as file:
        arrays = dict(file)
    random = np.random.default_rng(0)
    arrays["landmarks"][frames, :, :2] = random.uniform(50, 450, (478, 2))
    np.savez(folder / "spoilt.npz", **arrays)
    return {**blobs, "crop_landmarks": folder / "spoilt.npz"}


def test_writes_the_fit_and_its_figures(blobs, tmp_path):
    output = run(StageInput(blobs=blobs, values=VALUES, scratch=tmp_path), PHOTOMETRIC)
    assert set(output.files) == {"fit"}
    with np.load(output.files["fit"], allow_pickle=False) as fit:
        assert fit["identity"].shape == (50,)
        assert fit["expression"].shape == (24, 25)
        assert fit["lighting"].shape == (9, 3)
        assert fit["albedo"].shape == (len(fit["albedo_vertices"]), 3)
        assert fit["vertex_inlier"].shape == (33 * 33,)
        assert float(fit["focal_px"]) == pytest.approx(CAMERA.focal_x_px)
    values = output.values
    assert values["landmark_nme"] < 0.02
    assert 0 <= values["photometric_error"] < 0.1
    assert values["yaw_min_deg"] == pytest.approx(-20, abs=4)
    assert values["yaw_max_deg"] == pytest.approx(20, abs=4)
    assert values["camera_matrix"] == pytest.approx(list(CAMERA.matrix.ravel()))


def test_yaw_is_positive_towards_the_images_left(blobs, tmp_path):
    # docs: positive rotation about +y (down) takes the nose (-z) towards -x
    output = run(StageInput(blobs=blobs, values=VALUES, scratch=tmp_path), LANDMARKS_ALONE)
    assert output.values["yaw_min_deg"] < 0 < output.values["yaw_max_deg"]
    assert output.values["photometric_error"] is None


def test_same_input_gives_the_same_file(blobs, tmp_path):
    digests = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        output = run(StageInput(blobs=blobs, values=VALUES, scratch=tmp_path / name), PHOTOMETRIC)
        digests.append(hashlib.sha256(output.files["fit"].read_bytes()).hexdigest())
    assert digests[0] == digests[1]


def test_lost_track_keeps_the_longest_part_with_its_video(blobs, tmp_path):
    inputs = spoilt(blobs, tmp_path, [2])
    output = run(StageInput(blobs=inputs, values=VALUES, scratch=tmp_path), LANDMARKS_ALONE)
    frames = output.values["frames"]
    assert output.values["first_frame"] == 100 + 24 - frames
    assert 18 <= frames < 22
    assert "landmark error" in output.values["lost_track"]
    assert count_frames(output.files["crop"]) == frames
    with np.load(output.files["fit"]) as fit, np.load(output.files["crop_landmarks"]) as landmarks:
        assert len(fit["rotation"]) == len(landmarks["landmarks"]) == len(landmarks["presence"]) == frames


def test_no_part_long_enough_is_rejected_with_values(blobs, tmp_path):
    inputs = spoilt(blobs, tmp_path, [8, 15])
    settings = LANDMARKS_ALONE.model_copy(update={"quality": QualitySettings(least_frames=18)})
    with pytest.raises(Rejected) as verdict:
        run(StageInput(blobs=inputs, values=VALUES, scratch=tmp_path), settings)
    assert verdict.value.reason == Reason.LOST_TRACK
    assert "need 18" in verdict.value.detail
    assert "landmark error" in verdict.value.detail


def test_camera_is_the_full_frames_through_the_crop():
    values = {
        **VALUES,
        "frame_width": 1280,
        "frame_height": 720,
        "focal_ratio": 1.5,
        "crop_transform": [0.5, 0.0, -100.0, 0.0, 0.5, -20.0, 0.0, 0.0, 1.0],
    }
    camera = crop_camera(values)
    assert (camera.focal_x_px, camera.focal_y_px) == (960.0, 960.0)
    assert (camera.center_x_px, camera.center_y_px) == (0.5 * 640 - 100, 0.5 * 360 - 20)
    assert (camera.width, camera.height) == (512, 512)
