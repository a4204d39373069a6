import json
import shutil

import numpy as np
import pytest

from tasks.face_models.read_ict import read_ict

VERTICES = 9420
"""Just more than the face area; upstream has 26,719."""
NAMES = ["eyeBlink_L", "jawOpen"]


@pytest.fixture(scope="module")
def content():
    random = np.random.default_rng(0)
    neutral = np.round(random.uniform(-10, 10, (VERTICES, 3)), 4)
    quads = np.array([[0, 1, 2, 3], [6700, 6701, 6702, 6710], [9400, 9410, 9411, 9412]])
    return (
        neutral,
        quads,
        np.round(random.normal(0, 0.3, (2, VERTICES, 3)), 4),
        {name: np.round(random.normal(0, 0.1, (VERTICES, 3)), 4) for name in NAMES},
    )


def write_obj(path, vertices, quads):
    lines = [f"v {x:.4f} {y:.4f} {z:.4f}" for x, y, z in vertices]
    lines += ["f " + " ".join(f"{i + 1}/{i + 1}" for i in quad) for quad in quads]
    path.write_text("# mesh\n" + "\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, content):
    neutral, quads, identity, expressions = content
    face = tmp_path_factory.mktemp("ict") / "FaceXModel"
    face.mkdir()
    write_obj(face / "generic_neutral_mesh.obj", neutral, quads)
    for k, delta in enumerate(identity):
        write_obj(face / f"identity{k:03d}.obj", neutral + delta, quads)
    for name, delta in expressions.items():
        write_obj(face / f"{name}.obj", neutral + delta, quads)
    write_obj(face / "PupilDilate_L.obj", neutral, quads)
    (face / "vertex_indices.json").write_text(json.dumps({}))
    return face.parent


@pytest.fixture
def array_file(tmp_path, content):
    neutral, quads, identity, expressions = content
    fans = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    arrays = {
        "neutral": neutral / 100,
        "triangles": fans,
        "identity_basis": identity / 100,
        "expression_basis": np.stack([expressions[name] for name in sorted(expressions)]) / 100,
        "expression_names": np.array(sorted(expressions)),
    }
    path = tmp_path / "ict.npz"
    np.savez(path, **arrays)
    return path, arrays


def test_folder_and_array_file_give_the_same_shapes(folder, array_file):
    from_folder, from_file = read_ict(folder), read_ict(array_file[0])
    np.testing.assert_allclose(from_folder.mean, from_file.mean, atol=1e-7)
    np.testing.assert_allclose(from_folder.identity, from_file.identity, atol=1e-6)
    np.testing.assert_allclose(from_folder.expression, from_file.expression, atol=1e-6)
    assert read_ict(folder / "FaceXModel").provenance == from_folder.provenance


def test_metres_our_axes_and_the_face_area_only(folder, content):
    shapes = read_ict(folder)
    np.testing.assert_allclose(shapes.mean, content[0][:9409] * [0.01, -0.01, -0.01], atol=1e-7)
    assert shapes.triangles.max() < 9409
    skin = shapes.triangles[shapes.skin]
    assert sorted(map(tuple, skin)) == [(0, 1, 2), (0, 2, 3), (6700, 6701, 6702)]
    assert len(shapes.identity) == len(shapes.expression) == 2  # no pupils
    assert "MIT" in shapes.licence


def test_lids_weigh_more_in_the_expression_pca(folder):
    weights = read_ict(folder).expression_weights
    assert set(np.unique(weights)) == {0.0, 1.0, 8.0}


@pytest.mark.parametrize("name", ["generic_neutral_mesh.obj", "identity*.obj", "expression"])
def test_a_missing_part_is_named(folder, tmp_path, name):
    broken = tmp_path / "broken"
    shutil.copytree(folder / "FaceXModel", broken)
    for path in list(broken.glob(name)) if name != "expression" else [broken / f"{n}.obj" for n in NAMES]:
        path.unlink()
    with pytest.raises(ValueError, match=name.replace("*", r"\*")):
        read_ict(broken)


def test_a_mesh_of_another_size_is_named(folder, tmp_path, content):
    broken = tmp_path / "broken"
    shutil.copytree(folder / "FaceXModel", broken)
    write_obj(broken / "identity001.obj", content[0][:50], content[1][:1])
    with pytest.raises(ValueError, match=r"identity001\.obj: 50 vertices"):
        read_ict(broken)


@pytest.mark.parametrize("name", ["neutral", "identity_basis", "expression_names"])
def test_a_missing_array_is_named(array_file, tmp_path, name):
    _, arrays = array_file
    np.savez(tmp_path / "less.npz", **{key: value for key, value in arrays.items() if key != name})
    with pytest.raises(ValueError, match=name):
        read_ict(tmp_path / "less.npz")


def test_a_small_mesh_is_refused(array_file, tmp_path):
    _, arrays = array_file
    few = {"neutral": arrays["neutral"][:90]} | {
        name: arrays[name][:, :90] for name in ("identity_basis", "expression_basis")
    }
    np.savez(tmp_path / "few.npz", **arrays | few)
    with pytest.raises(ValueError, match="90 vertices"):
        read_ict(tmp_path / "few.npz")
