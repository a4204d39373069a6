import numpy as np
import pytest
from scipy.io import savemat

from tasks.face_models.read_bfm import read_bfm

POINTS = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [-1, -1, -1]], float)
FACES = np.array([[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]])


@pytest.fixture
def front():
    random = np.random.default_rng(0)
    return {
        "meanshape": POINTS.reshape(1, -1),
        "idBase": random.standard_normal((12, 80)),
        "exBase": random.standard_normal((12, 64)),
        "meantex": np.full((1, 12), 127.5),
        "tri": FACES[:, ::-1] + 1,
    }


def test_front_mat(front, tmp_path):
    savemat(tmp_path / "BFM_model_front.mat", front)
    shapes = read_bfm(tmp_path / "BFM_model_front.mat")
    np.testing.assert_allclose(shapes.mean, POINTS * [0.1, -0.1, -0.1], atol=1e-7)
    assert shapes.identity.shape == (80, 4, 3)
    np.testing.assert_allclose(
        shapes.expression[5].ravel(), front["exBase"][:, 5] * np.tile([0.1, -0.1, -0.1], 4), rtol=1e-5
    )
    np.testing.assert_array_equal(shapes.triangles, FACES)  # turned outwards, from 0
    np.testing.assert_allclose(shapes.albedo, 0.5**2.2, rtol=1e-5)


@pytest.mark.parametrize("name", ["meanshape", "exBase", "tri"])
def test_a_missing_array_is_named(front, tmp_path, name):
    del front[name]
    savemat(tmp_path / "front.mat", front)
    with pytest.raises(ValueError, match=name):
        read_bfm(tmp_path / "front.mat")


def test_mis_shaped_modes_are_named(front, tmp_path):
    savemat(tmp_path / "front.mat", front | {"idBase": np.zeros((9, 80))})
    with pytest.raises(ValueError, match="identity basis is"):
        read_bfm(tmp_path / "front.mat")


def test_bare_2009_is_refused_with_the_cure(tmp_path):
    savemat(tmp_path / "01_MorphableModel.mat", {"shapePC": np.zeros((12, 3))})
    with pytest.raises(ValueError, match="no expressions; use BFM 2017"):
        read_bfm(tmp_path / "01_MorphableModel.mat")


@pytest.mark.parametrize("name", ["x.mat", "x.bin"])
def test_other_files_are_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"not a model" * 20)
    with pytest.raises(ValueError, match=name):
        read_bfm(tmp_path / name)


def test_h5(tmp_path):
    h5py = pytest.importorskip("h5py", reason="BFM 2017/2019 needs the optional package h5py")
    random = np.random.default_rng(0)
    basis = random.standard_normal((12, 5))
    with h5py.File(tmp_path / "model2019.h5", "w") as file:
        for part in ("shape", "expression"):
            file[f"{part}/model/mean"] = 100 * POINTS.ravel() if part == "shape" else np.ones(12)
            file[f"{part}/model/pcaBasis"] = basis
            file[f"{part}/model/pcaVariance"] = np.arange(1, 6) ** 2.0
        file["color/model/mean"] = np.full(12, 0.5)
        file["shape/representer/cells"] = FACES.T
    shapes = read_bfm(tmp_path / "model2019.h5")
    np.testing.assert_allclose(shapes.mean, (100 * POINTS + 1) * [1e-3, -1e-3, -1e-3], atol=1e-7)
    np.testing.assert_allclose(
        shapes.identity[2].ravel(), 3 * basis[:, 2] * np.tile([1e-3, -1e-3, -1e-3], 4), rtol=1e-5
    )
    np.testing.assert_array_equal(shapes.triangles, FACES)
    with h5py.File(tmp_path / "model2019.h5", "a") as file:
        del file["expression/model/mean"]
    with pytest.raises(ValueError, match="expression/model/mean"):
        read_bfm(tmp_path / "model2019.h5")
