import hashlib

import numpy as np
import pytest

from rendering.builtin.appearance import HeadAppearance
from rendering.builtin.head import (
    EXPRESSION_NAMES,
    FULL_EXPRESSION,
    IDENTITY_NAMES,
    BuiltinHead,
    builtin_head,
)
from rendering.builtin.parts import BodyPart


@pytest.fixture(scope="module")
def head() -> BuiltinHead:
    return builtin_head()


def moved_mm(head, name, mask):
    """Mean displacement of some vertices in a full expression: (3,) mm, design axes (y up)."""
    mode = head.face_model.expression_basis[EXPRESSION_NAMES.index(name)] * FULL_EXPRESSION * 1000
    return (mode * [1, -1, -1])[mask].mean(axis=0)


def near(head, x, y, part=BodyPart.SKIN, radius=5.0):
    off = np.hypot(head.sites[:, 0] - x, head.sites[:, 1] - y)
    return (off < radius) & (head.parts == part) & (head.sites[:, 2] > 0)


def test_it_has_the_native_shape_and_named_modes(head):
    model = head.face_model
    assert len(set(IDENTITY_NAMES)) == 50
    assert len(set(EXPRESSION_NAMES)) == 25
    assert 4000 <= len(model.mean) <= 10000
    assert model.mean.dtype == model.identity_basis.dtype == head.albedo.dtype == np.float32
    assert 0 <= model.triangles.min() <= model.triangles.max() < len(model.mean)


def test_generating_twice_gives_the_same_bytes(head):
    again = builtin_head.__wrapped__()
    for name in ("mean", "triangles", "identity_basis", "expression_basis"):
        one, two = (getattr(h.face_model, name) for h in (head, again))
        assert hashlib.sha256(one.tobytes()).digest() == hashlib.sha256(two.tobytes()).digest(), name
    np.testing.assert_array_equal(head.albedo, again.albedo)


def test_the_neutral_face_is_symmetric(head):
    skin = head.face_model.mean[head.parts == BodyPart.SKIN]
    mirrored = skin * np.float32([-1, 1, 1])
    order, other = (np.lexsort(np.round(points.T, 6)) for points in (skin, mirrored))
    np.testing.assert_allclose(skin[order], mirrored[other], atol=2e-5)


def test_every_mode_moves_something_and_no_two_are_the_same(head):
    for basis in (head.face_model.identity_basis, head.face_model.expression_basis):
        flat = basis.reshape(len(basis), -1).astype(np.float64)
        norms = np.linalg.norm(flat, axis=1)
        assert (np.linalg.norm(basis, axis=2).max(axis=1) > 3e-4).all()
        cosines = np.abs(flat @ flat.T / norms[:, None] / norms) - np.eye(len(flat))
        assert cosines.max() < 0.95


def test_the_jaw_opens_the_mouth_and_takes_lower_teeth_and_chin(head):
    lower = head.parts == BodyPart.LOWER_TEETH
    assert moved_mm(head, "jaw_open", lower)[1] < -20
    assert moved_mm(head, "jaw_open", near(head, 0, -105))[1] < -20
    assert abs(moved_mm(head, "jaw_open", head.parts == BodyPart.UPPER_TEETH)).max() < 0.1
    assert abs(moved_mm(head, "jaw_open", near(head, 31, 15))).max() < 0.1
    assert abs(moved_mm(head, "jaw_open", head.parts == BodyPart.SHOULDERS)).max() < 0.1


@pytest.mark.parametrize(
    ("name", "place", "axis", "sign"),
    [
        ("blink", (31, 5.5), 1, -1),
        ("brow_up", (31, 22), 1, 1),
        ("brow_down", (22, 19), 1, -1),
        ("smile", (25, -69), 1, 1),
        ("mouth_corner_down", (25, -69), 1, -1),
        ("lips_stretch", (25, -69), 0, 1),
        ("upper_lip_raise", (11, -64), 1, 1),
        ("lower_lip_drop", (11, -76), 1, -1),
        ("cheek_raise", (40, -24), 1, 1),
    ],
)
def test_left_and_right_are_separate(head, name, place, axis, sign):
    x, y = place
    for side, outwards in (("left", 1), ("right", -1)):
        own = moved_mm(head, f"{name}_{side}", near(head, outwards * x, y, radius=3.0))
        other = moved_mm(head, f"{name}_{side}", near(head, -outwards * x, y, radius=3.0))
        direction = sign * (outwards if axis == 0 else 1)
        assert own[axis] * direction > 2.5
        assert np.abs(other).max() < 0.35 * abs(own[axis])


def test_a_full_blink_closes_the_lids_over_the_eyeball(head):
    closed = (
        head.face_model.mean
        + FULL_EXPRESSION * head.face_model.expression_basis[EXPRESSION_NAMES.index("blink_left")]
    )
    rim = (head.parts == BodyPart.LID_RIM) & (head.detail == 0) & (head.sites[:, 0] > 0)
    aperture = {
        name: np.ptp(points[rim & (np.abs(head.sites[:, 0] - 31) < 4), 1])
        for name, points in (("open", head.face_model.mean), ("closed", closed))
    }
    assert aperture["open"] > 0.008
    assert aperture["closed"] < 0.2 * aperture["open"]
    eye = head.face_model.mean[head.parts == BodyPart.LEFT_EYE]
    center = eye.mean(axis=0) * [1, 1, 0] + [0, 0, eye[:, 2].min() + 0.012]
    assert np.linalg.norm(closed[rim] - center, axis=1).min() > 0.0115


def test_the_skin_is_on_the_front_without_eyes_hair_or_throat(head):
    model = head.face_model
    corners = model.triangles[model.skin_triangles]
    assert (head.parts[corners] == BodyPart.SKIN).all()
    centers = head.sites[corners].mean(axis=1)
    assert centers[:, 2].min() > 0
    assert centers[:, 1].max() < 75
    assert not ((centers[:, 1] < -120) & (centers[:, 2] < 60)).any()


def test_appearances_differ_in_colour_only_where_they_should(head):
    pale, dark = HeadAppearance(skin=(0.7, 0.5, 0.4)), HeadAppearance(skin=(0.2, 0.1, 0.07))
    light_colors, dark_colors = head.colors(pale), head.colors(dark)
    cheek = near(head, 40, -45)
    assert (light_colors[cheek].mean(axis=0) > 1.8 * dark_colors[cheek].mean(axis=0)).all()
    teeth = head.parts == BodyPart.UPPER_TEETH
    np.testing.assert_array_equal(light_colors[teeth], dark_colors[teeth])
    for seed in range(6):
        colors = head.random_colors(seed)
        assert 0.0 <= colors.min() <= colors.max() <= 1.0
    np.testing.assert_array_equal(head.random_colors(3), head.random_colors(3))
    assert (head.random_colors(3) != head.random_colors(4)).any()


def test_lips_brows_and_eyes_stand_out(head):
    def mean_color(mask):
        return head.albedo[mask].mean(axis=0)

    cheek = mean_color(near(head, 42, -50))
    assert mean_color(near(head, 28, 21, radius=2.5)).sum() < 0.5 * cheek.sum()
    lips = mean_color(near(head, 0, -75, radius=3.0))
    assert lips[1] / lips[0] < 0.85 * cheek[1] / cheek[0]
    eye = (head.parts == BodyPart.LEFT_EYE) & (head.detail > 35) & (head.detail < 50)
    pupil = (head.parts == BodyPart.LEFT_EYE) & (head.detail < 5)
    assert mean_color(pupil).sum() < 0.2 * mean_color(eye).sum()
