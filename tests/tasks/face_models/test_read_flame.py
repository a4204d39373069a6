import os
import pickle

import numpy as np
import pytest
from scipy import sparse

from tasks.face_models.read_flame import JAW_OPEN_RAD, read_flame

VERTICES, JOINTS = 3940, 5


@pytest.fixture(scope="module")
def arrays():
    random = np.random.default_rng(0)
    template = random.uniform(-0.1, 0.1, (VERTICES, 3))
    weights = np.zeros((VERTICES, JOINTS))
    weights[:, 0] = 1.0
    weights[:10] = np.eye(JOINTS)[2]
    regressor = np.zeros((JOINTS, VERTICES))
    regressor[:, 100] = 1.0
    return {
        "v_template": template,
        "shapedirs": random.normal(0, 1e-3, (VERTICES, 3, 320)).astype(np.float32),
        "f": np.array([[0, 1, 2], [5, 6, 3935]], np.uint32),
        "J_regressor": regressor,
        "weights": weights,
        "posedirs": np.zeros((VERTICES, 3, 9 * (JOINTS - 1))),
    }


def write_pickle(path, arrays, **extra):
    content = arrays | {"J_regressor": sparse.csc_matrix(arrays["J_regressor"]), "bs_type": "lrotmin"} | extra
    path.write_bytes(pickle.dumps(content, 2))
    return path


def test_pickle_and_npz_agree(arrays, tmp_path):
    np.savez(tmp_path / "flame.npz", **arrays)
    one, two = read_flame(write_pickle(tmp_path / "flame.pkl", arrays)), read_flame(tmp_path / "flame.npz")
    np.testing.assert_array_equal(one.identity, two.identity)
    np.testing.assert_allclose(one.expression, two.expression, atol=1e-8)
    assert one.identity.shape == (300, VERTICES, 3)
    assert one.expression.shape == (22, VERTICES, 3)  # 20 and the jaw's two


def test_axes_and_eyeballs(arrays, tmp_path):
    shapes = read_flame(write_pickle(tmp_path / "flame.pkl", arrays))
    np.testing.assert_allclose(shapes.mean, arrays["v_template"] * [1, -1, -1], atol=1e-7)
    assert shapes.surface.tolist() == [True, False]
    assert shapes.skin is None


def test_the_jaw_opens_downwards_about_its_joint(arrays, tmp_path):
    shapes = read_flame(write_pickle(tmp_path / "flame.pkl", arrays))
    opening = shapes.expression[-2]
    joint = arrays["v_template"][100]
    offset = arrays["v_template"][:10] - joint
    # A small turn about x: y' = y - angle z (y up, z out of the face), and ours is y down.
    np.testing.assert_allclose(opening[:10, 1], JAW_OPEN_RAD * offset[:, 2], atol=2e-3)
    assert not opening[10:].any()


@pytest.mark.parametrize("name", ["shapedirs", "posedirs", "J_regressor"])
def test_a_missing_array_is_named(arrays, tmp_path, name):
    np.savez(tmp_path / "flame.npz", **{key: value for key, value in arrays.items() if key != name})
    with pytest.raises(ValueError, match=name):
        read_flame(tmp_path / "flame.npz")


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("shapedirs", np.zeros((VERTICES, 3, 100))),
        ("weights", np.zeros((7, 5))),
        ("v_template", np.zeros((9, 3))),
    ],
)
def test_a_mis_shaped_array_is_named(arrays, tmp_path, name, bad):
    np.savez(tmp_path / "flame.npz", **arrays | {name: bad})
    with pytest.raises(ValueError, match=r"shapedirs|weights"):
        read_flame(tmp_path / "flame.npz")


def test_a_malicious_pickle_does_not_run(arrays, tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    with pytest.raises(ValueError, match="was not run"):
        read_flame(write_pickle(tmp_path / "flame.pkl", arrays, evil=Evil()))
    assert not (tmp_path / "ran").exists()


def test_other_suffixes_are_refused(tmp_path):
    (tmp_path / "flame.txt").touch()
    with pytest.raises(ValueError, match=r"\.pkl or \.npz"):
        read_flame(tmp_path / "flame.txt")
