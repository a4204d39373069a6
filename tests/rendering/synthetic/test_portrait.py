import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from rendering.builtin.appearance import HeadAppearance
from rendering.camera import Camera
from rendering.face_model import FaceModel
from rendering.relighting.shading import ambient_light
from rendering.synthetic.portrait import (
    NECK_M,
    SHOULDERS_FOLLOW,
    HeadPose,
    Person,
    person_in_camera,
    pose_about_neck,
    random_person,
    skin_depth,
    take_picture,
)

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
    )


def frontal(rotation: np.ndarray | None = None) -> HeadPose:
    turn = np.eye(3)[None] if rotation is None else rotation
    return pose_about_neck(turn, np.eye(3)[None], np.zeros((1, 3)), stands_m=STANDS_M)


def test_the_neck_stays_where_it_is() -> None:
    rotation = Rotation.from_euler("yxz", [[0, 0, 0], [0.4, 0.1, -0.2]]).as_matrix()
    shift = np.array([[0, 0, 0], [0.01, 0.02, 0.03]])
    pose = pose_about_neck(rotation, rotation, shift, stands_m=STANDS_M)
    np.testing.assert_allclose(pose.rotation @ NECK_M + pose.translation, STANDS_M + NECK_M + shift)
    np.testing.assert_allclose(
        pose.shoulder_rotation @ NECK_M + pose.shoulder_translation,
        STANDS_M + NECK_M + SHOULDERS_FOLLOW * shift,
    )


def test_the_face_turns_and_the_shoulders_stay() -> None:
    person = random_person(3, HeadAppearance())
    turn = Rotation.from_euler("y", [[0.4]]).as_matrix()
    still, turned = (
        person_in_camera(person, np.zeros((1, 25), np.float32), frontal(r))[0] for r in (None, turn)
    )
    height = person.face_model.mean[:, 1]
    np.testing.assert_allclose(turned[height > 0.19], still[height > 0.19], atol=1e-6)
    skin = np.unique(person.face_model.triangles[person.face_model.skin_triangles])
    pose = frontal(turn)
    rigid = person.face_model.vertices(person.identity, np.zeros((1, 25), np.float32))[0] @ pose.rotation[0].T
    np.testing.assert_allclose(turned[skin], (rigid + pose.translation[0])[skin], atol=1e-6)


def test_people_differ_by_their_seed_only() -> None:
    assert np.array_equal(
        random_person(1, HeadAppearance()).identity, random_person(1, HeadAppearance()).identity
    )
    assert not np.array_equal(
        random_person(1, HeadAppearance()).identity, random_person(2, HeadAppearance()).identity
    )


def test_depth_is_only_where_skin_is_seen(person: Person) -> None:
    heads = person_in_camera(person, np.zeros((1, 25), np.float32), frontal())
    depth_m = skin_depth(person.face_model, heads, CAMERA)[0]
    rows, _ = np.nonzero(depth_m)
    assert len(rows) > 1000
    assert rows.min() >= 79
    points = CAMERA.unproject(depth_m)[depth_m > 0]
    np.testing.assert_allclose(np.linalg.norm(points - STANDS_M, axis=-1), 0.09, atol=5e-4)


def test_a_hidden_face_has_no_depth(person: Person) -> None:
    # Tipped forward by a right angle, the ball's skin half looks away from the camera.
    tipped = frontal(Rotation.from_euler("x", [[np.pi / 2]]).as_matrix())
    depth_m = skin_depth(
        person.face_model, person_in_camera(person, np.zeros((1, 25), np.float32), tipped), CAMERA
    )
    upright = skin_depth(
        person.face_model, person_in_camera(person, np.zeros((1, 25), np.float32), frontal()), CAMERA
    )
    assert (depth_m > 0).sum() < 0.02 * (upright > 0).sum()


def test_a_picture_shows_the_person_and_the_background(person: Person) -> None:
    vertices = person_in_camera(person, np.zeros((1, 25), np.float32), frontal())[0]
    picture = take_picture(
        person,
        vertices,
        camera=CAMERA,
        lighting=ambient_light(np.ones(3)),
        background=np.full((160, 160, 3), 0.9, np.float32),
    )
    np.testing.assert_allclose(picture[5, 5], 0.9)
    np.testing.assert_allclose(picture[80, 80], 0.5, atol=1e-5)
