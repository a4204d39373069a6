import numpy as np
import pytest

from rendering.face_model import FaceModel
from rendering.landmarks.embedding_check import check_embedding
from rendering.landmarks.face_mesh_points import IRISES, LEFT_LID_PAIRS, RIGHT_LID_PAIRS

PLACES = {33: (-0.045, 0), 133: (-0.017, 0), 263: (0.045, 0), 362: (0.017, 0)}


def toy_model(**changes) -> FaceModel:
    """Every landmark has a vertex of its own; blinks and a jaw are the only expressions."""
    places = np.zeros((478, 3), np.float32)
    for landmark, (x, y) in PLACES.items():
        places[landmark, :2] = x, y
    for pairs, x in ((RIGHT_LID_PAIRS, -0.031), (LEFT_LID_PAIRS, 0.031)):
        for upper, lower in pairs:
            places[upper, :2], places[lower, :2] = (x, -0.005), (x, 0.005)
    for upper, lower in ((13, 14), (82, 87), (312, 317)):
        places[upper, 1], places[lower, 1] = 0.069, 0.071
    expression = np.zeros((25, 478, 3), np.float32)
    expression[0, [upper for upper, _ in RIGHT_LID_PAIRS], 1] = 0.004
    expression[1, [upper for upper, _ in LEFT_LID_PAIRS], 1] = 0.004
    expression[2, [14, 87, 317], 1] = 0.01
    for landmark, place in changes.pop("moved", {}).items():
        places[landmark] = place
    for mode in changes.pop("without", ()):
        expression[mode] = 0.0
    ids = np.arange(478, dtype=np.int32)
    landmark_triangles = ids.copy()
    landmark_triangles[list(IRISES)] = -1
    landmark_triangles[: changes.pop("lost", 0)] = -1
    weights = np.zeros((478, 3), np.float32)
    weights[:, 0] = 1.0
    return FaceModel(
        mean=places,
        triangles=np.stack([ids, ids, ids], axis=1),
        identity_basis=np.zeros((50, 478, 3), np.float32),
        expression_basis=expression,
        skin_triangles=np.zeros(0, np.int32),
        landmark_triangles=landmark_triangles,
        landmark_barycentrics=weights,
        name="toy",
        provenance="",
        licence="",
    )


def test_a_good_embedding_is_measured():
    check = check_embedding(toy_model())
    assert check.embedded == 468
    assert check.left_lid_aperture_m == pytest.approx(0.010)
    assert check.outer_eye_distance_m == pytest.approx(0.090)
    assert check.right_lid_response_m == pytest.approx(0.016)
    assert check.left_lid_response_m == pytest.approx(0.016)
    assert check.lip_response_m == pytest.approx(0.04)


def test_a_one_sided_blink_answers_on_one_side_only():
    check = check_embedding(toy_model(without=[1]))
    assert check.right_lid_response_m > 0.01
    assert check.left_lid_response_m == 0.0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"moved": {upper: (0.031, 0.0045, 0) for upper, _ in LEFT_LID_PAIRS}}, "left lid collapsed"),
        ({"moved": {upper: (-0.031, 0.0045, 0) for upper, _ in RIGHT_LID_PAIRS}}, "right lid collapsed"),
        ({"moved": {33: (-4.5, 0, 0), 263: (4.5, 0, 0)}}, "check the units"),
        ({"moved": {33: (0.045, 0, 0), 263: (-0.045, 0, 0)}}, "swapped"),
        ({"moved": {14: (0, 0.12, 0)}}, "lips .* apart"),
        ({"without": [2]}, "lips collapsed"),
        ({"lost": 100}, "368 of 468 landmarks embedded"),
    ],
)
def test_a_bad_embedding_is_an_error_that_says_what(changes, words):
    with pytest.raises(ValueError, match=words):
        check_embedding(toy_model(**changes))
