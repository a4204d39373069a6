import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from rendering.bust import bust_mesh
from rendering.camera import Camera
from rendering.face_model import FaceModel
from rendering.portrait import NECK_M, Person, head_in_camera, pose_about_neck, skin_depth, take_picture
from rendering.shading import ambient_light

CAMERA = Camera.centered(300.0, 160, 160)
STANDS_M = np.array([0.0, 0.0, 0.7])


@pytest.fixture(scope="module")
def person() -> Person:
    """A ball for a head, its lower half skin."""
    polar, azimuth = np.meshgrid(np.linspace(0, np.pi, 40), np.linspace(0, 2 * np.pi, 40), indexing="ij")
    ball = np.stack(
        [np.sin(polar) * np.sin(azimuth), -np.cos(polar), -np.sin(polar) * np.cos(azimuth)], axis=-1
    )
    first = (np.arange(39)[:, None] * 40 + np.arange(39)).reshape(-1)
    lower = np.stack([first, first + 40, first + 41], axis=-1)
    upper = np.stack([first, first + 41, first + 1], axis=-1)
    triangles = np.concatenate([lower, upper]).astype(np.int32)
    mean = (0.09 * ball.reshape(-1, 3)).astype(np.float32)
    model = FaceModel(
        mean=mean,
        triangles=triangles,
        identity_basis=np.zeros((50, len(mean), 3), np.float32),
        expression_basis=np.zeros((25, len(mean), 3), np.float32),
        skin_triangles=np.nonzero((mean[triangles, 1] > 0).all(axis=1))[0].astype(np.int32),
        landmark_triangles=np.full(478, -1, np.int32),
        landmark_barycentrics=np.zeros((478, 3), np.float32),
        name="ball",
        provenance="test",
        licence="none",
    )
    return Person(
        face_model=model,
        identity=np.zeros(50, np.float32),
        albedo=np.full((len(mean), 3), 0.5, np.float32),
        skin=np.float32([0.5, 0.5, 0.5]),
        cloth=np.float32([0.1, 0.1, 0.4]),
    )


def test_the_neck_stays_where_it_is(person: Person) -> None:
    rotation = Rotation.from_euler("yxz", [[0, 0, 0], [0.4, 0.1, -0.2]]).as_matrix()
    pose = pose_about_neck(rotation, np.array([[0, 0, 0], [0.01, 0.02, 0.03]]), stands_m=STANDS_M)
    necks = pose.rotation @ NECK_M + pose.translation
    np.testing.assert_allclose(necks[0], STANDS_M + NECK_M)
    np.testing.assert_allclose(necks[1], STANDS_M + NECK_M + [0.01, 0.02, 0.03])


def test_depth_is_only_where_skin_is_seen(person: Person) -> None:
    pose = pose_about_neck(np.eye(3)[None], np.zeros((1, 3)), stands_m=STANDS_M)
    heads = head_in_camera(person, np.zeros((1, 25), np.float32), pose)
    depth_m = skin_depth(person.face_model, heads, CAMERA)[0]
    rows, _ = np.nonzero(depth_m)
    assert len(rows) > 1000
    assert rows.min() >= 79
    points = CAMERA.unproject(depth_m)[depth_m > 0]
    np.testing.assert_allclose(np.linalg.norm(points - STANDS_M, axis=-1), 0.09, atol=5e-4)
    turned = pose_about_neck(
        Rotation.from_euler("x", [np.pi]).as_matrix(), np.zeros((1, 3)), stands_m=STANDS_M
    )
    upside_down = skin_depth(
        person.face_model, head_in_camera(person, np.zeros((1, 25), np.float32), turned), CAMERA
    )[0]
    assert np.nonzero(upside_down)[0].max() < 160 / 2 + 300 * 2 * 0.09 / 0.7


def test_a_picture_shows_head_bust_and_background(person: Person) -> None:
    pose = pose_about_neck(np.eye(3)[None], np.zeros((1, 3)), stands_m=STANDS_M)
    head = head_in_camera(person, np.zeros((1, 25), np.float32), pose)[0]
    picture = take_picture(
        person,
        head=head,
        bust=bust_mesh()[0] + STANDS_M.astype(np.float32),
        camera=CAMERA,
        lighting=ambient_light(np.ones(3)),
        background=np.full((160, 160, 3), 0.9, np.float32),
    )
    np.testing.assert_allclose(picture[5, 5], 0.9)
    np.testing.assert_allclose(picture[80, 80], 0.5, atol=1e-5)
    np.testing.assert_allclose(picture[158, 80], [0.1, 0.1, 0.4], rtol=0.1)
