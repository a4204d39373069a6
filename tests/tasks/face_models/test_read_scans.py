import numpy as np
import pytest

from tasks.face_models.read_scans import read_scans

TRIANGLES = np.array([[k, k + 1, k + 2] for k in range(58)], np.int32)


def write_mesh(path, vertices, triangles=TRIANGLES):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npz":
        np.savez(path, vertices=vertices.astype(np.float32), triangles=triangles)
        return
    lines = [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in vertices]
    lines += [f"f {a + 1} {b + 1} {c + 1}" for a, b, c in triangles]
    path.write_text("\n".join(lines))


@pytest.fixture
def folder(tmp_path):
    """Three subjects in millimetres, each its own size; one with a smile."""
    random = np.random.default_rng(0)
    shape = random.uniform(-100, 100, (60, 3))
    for number, suffix in enumerate((".obj", ".npz", ".obj")):
        neutral = (1 + 0.05 * number) * shape + random.normal(0, 2, (60, 3))
        write_mesh(tmp_path / "scans" / f"s{number}" / f"neutral{suffix}", neutral)
        if number < 2:
            smile = neutral.copy()
            smile[:12, 1] += 10.0 * (1 + 0.05 * number)
            write_mesh(tmp_path / "scans" / f"s{number}" / f"smile{suffix}", smile)
    return tmp_path / "scans"


def test_a_model_in_metres(folder):
    shapes = read_scans(folder)
    assert 0.15 < np.ptp(shapes.mean[:, 1]) < 0.25
    assert shapes.identity.shape == (3, 60, 3)
    # The subjects' sizes are gone, what is left is the noise of 2 mm.
    assert np.linalg.norm(shapes.identity, axis=2).max() < 0.01
    smile = shapes.expression[0]
    assert shapes.expression.shape == (1, 60, 3)
    np.testing.assert_allclose(smile[:12, 1], -0.354 * 0.0105, rtol=0.06)  # up is -y
    assert np.abs(smile[12:]).max() < 2e-4


def test_meshes_directly_in_the_folder_are_subjects(folder):
    write_mesh(folder / "s9.obj", np.random.default_rng(3).uniform(-100, 100, (60, 3)))
    assert len(read_scans(folder).identity) == 4


def test_the_provenance_changes_with_a_file(folder):
    before = read_scans(folder).provenance
    write_mesh(folder / "s9.obj", np.random.default_rng(3).uniform(-100, 100, (60, 3)))
    assert read_scans(folder).provenance != before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: (f / "s1" / "neutral.npz").unlink(), "s1.*no neutral"),
        (lambda f: write_mesh(f / "s2" / "jaw.obj", np.zeros((9, 3)), TRIANGLES[:3]), "jaw.obj: 9 vertices"),
        (lambda f: write_mesh(f / "s2" / "jaw.obj", np.ones((60, 3)), TRIANGLES[::-1]), "must be registered"),
        (lambda f: (f / "s2" / "jaw.ply").write_text("no ply"), "jaw.ply"),
        (lambda f: [p.unlink() for p in f.rglob("smile.*")], "no expression scans"),
        (lambda f: [p.unlink() for p in f.rglob("*") if p.is_file()], "no .obj, .ply or .npz"),
        (lambda f: write_mesh(f / "s0" / "neutral.obj", np.eye(60, 3) * 1e5), "not a face in metres"),
    ],
)
def test_bad_folders_are_errors_that_say_what(folder, change, words):
    change(folder)
    with pytest.raises(ValueError, match=words):
        read_scans(folder)


def test_one_subject_is_not_a_model(folder):
    for name in ("s1", "s2"):
        for path in (folder / name).iterdir():
            path.unlink()
    with pytest.raises(ValueError, match="1 subjects, need at least 2"):
        read_scans(folder)
