import hashlib
from pathlib import Path

import numpy as np
import pytest

from rendering.builtin.head import builtin_head
from rendering.detector_bias import TERMS
from rendering.fitting.landmark_groups import used_landmarks
from rendering.landmarks.face_mesh_points import IRISES, LEFT_LID_PAIRS, LIPS_OUTER, RIGHT_LID_PAIRS
from rendering.landmarks.views import head_pose, render_view
from tasks.face_models import embed_landmarks
from tasks.face_models.build import build_face_model
from tasks.face_models.embed_landmarks import image_detector
from tasks.face_models.files import load_face_model
from tasks.face_models.learn_landmark_bias import landmark_bias

SHARED = Path(__file__).parents[4] / "shared" / "face_models"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "builtin.npz"
    return build_face_model("builtin", None, path), path


def test_the_builtin_head_embeds_all_landmarks_but_the_irises(built):
    record, path = built
    model = load_face_model(path)
    assert record.check.embedded == 468
    assert set(np.flatnonzero(model.landmark_triangles < 0)) == set(IRISES)
    assert record.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert 0.008 < record.check.left_lid_aperture_m < 0.013
    assert abs(record.check.left_lid_aperture_m - record.check.right_lid_aperture_m) < 5e-4
    assert min(record.check.left_lid_response_m, record.check.right_lid_response_m) > 0.01
    assert record.check.lip_gap_m < 0.004
    assert record.landmark_spread_m < 0.003


def test_landmarks_lie_where_the_anatomy_is(built):
    model, head = load_face_model(built[1]), builtin_head()
    sites = head.sites[model.triangles[model.landmark_triangles]].mean(axis=1)
    for pairs, side in ((LEFT_LID_PAIRS, 1), (RIGHT_LID_PAIRS, -1)):
        for upper, lower in pairs:
            assert 20 < side * sites[upper, 0] < 45
            assert sites[upper, 1] > 2 > sites[lower, 1]
    lips = sites[list(LIPS_OUTER)]
    assert np.abs(lips[:, 1] + 70).max() < 15
    assert np.abs(sites[1] - [0, -38, 117]).max() < 8  # nose tip


def test_the_detectors_bias_is_learnt_where_landmarks_are(built):
    model = load_face_model(built[1])
    assert model.landmark_bias.shape == (TERMS, 478, 2)
    assert (model.landmark_bias[:, list(IRISES)] == 0).all()
    # a head seen from below shows its nose higher: the detector shows it less high, by a part of that
    used = used_landmarks(model.landmark_triangles)
    depth = model.landmark_points(model.mean[None])[0, used, 2]
    slope = np.polyfit(depth, model.landmark_bias[1, used, 1], 1)[0]
    response = 1 / 0.09  # eye distances by which a landmark moves, per metre of depth and per unit of view
    assert -0.6 * response < slope < -0.05 * response


def test_a_detector_that_finds_few_faces_teaches_no_bias(built):
    model = load_face_model(built[1])
    surface = np.isin(np.arange(len(model.triangles)), model.landmark_triangles)
    with image_detector() as detect:
        head = embed_landmarks.painted_head(
            model, surface=surface, albedo=builtin_head().albedo, detect=detect
        )
    assert landmark_bias(model, head, detect=lambda image: None, views=3) is None


def test_its_skin_ends_above_the_throat(built):
    model, head = load_face_model(built[1]), builtin_head()
    centers = head.sites[model.triangles[model.skin_triangles]].mean(axis=1)
    assert not ((centers[:, 1] < -118) & (centers[:, 2] < 80)).any()
    assert (np.hypot(centers[:, 0], centers[:, 1] + 104) < 8).any()  # the chin is in


def test_mediapipe_finds_random_people_from_all_sides():
    head = builtin_head()
    with image_detector() as detect:
        for seed, yaw_deg in enumerate((0, -35, 35, 20, -20, 35, -35, 0)):
            identity = np.random.default_rng(seed).standard_normal(50).astype(np.float32)
            vertices = head.face_model.vertices(identity, np.zeros((1, 25), np.float32))[0]
            posed = head_pose(vertices, yaw_deg=yaw_deg, pitch_deg=0)
            view = render_view(posed, head.face_model.triangles, head.random_colors(seed), None)
            assert detect(view.image) is not None, (seed, yaw_deg)


def test_a_model_without_a_face_is_refused(built, monkeypatch):
    model = load_face_model(built[1])
    with pytest.raises(ValueError, match="no face found in its frontal render"):
        embed_landmarks.embed_on_renders(
            model,
            surface=np.ones(len(model.triangles), bool),
            albedo=None,
            detect=lambda image: None,
        )


@pytest.mark.skipif(
    not SHARED.is_dir(), reason="no folder `shared` beside the repository: ICT-FaceKit not tested"
)
def test_ict_embedding_agrees_with_an_independent_one(tmp_path):
    record = build_face_model("ict", SHARED / "ict_facekit_light.npz", tmp_path / "ict.npz")
    assert record.identity_energy_kept > 0.985
    assert record.expression_energy_kept > 0.98
    assert record.check.embedded >= 400
    model = load_face_model(tmp_path / "ict.npz")
    points = model.landmark_points(model.mean[None])[0, :468]
    with (
        np.load(SHARED / "mediapipe468_on_ict.npz") as other,
        np.load(SHARED / "ict_facekit_light.npz") as ict,
    ):
        corners = ict["neutral"][other["vertices"]] * [1, -1, -1]
        reference = np.einsum("lk,lkc->lc", other["barycentrics"], corners)
    distance = np.linalg.norm(points - reference, axis=1)
    assert np.median(distance) < 0.004
    lids = [k for pairs in (LEFT_LID_PAIRS, RIGHT_LID_PAIRS) for pair in pairs for k in pair]
    assert distance[lids].max() < 0.004
