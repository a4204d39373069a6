import hashlib
import io

import numpy as np
import pytest

from rendering.builtin.head import builtin_head
from rendering.face_model import face_model_arrays
from tasks.face_models.files import load_face_model, save_face_model


def test_round_trip_and_the_same_bytes(tmp_path):
    model = builtin_head().face_model
    digests = set()
    for name in ("a.npz", "sub/b.npz"):
        save_face_model(tmp_path / name, model)
        digests.add(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert len(digests) == 1
    back = load_face_model(tmp_path / "a.npz")
    np.testing.assert_array_equal(back.mean, model.mean)
    assert (back.name, back.licence) == (model.name, model.licence)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "sub"]


def test_a_missing_file_stays_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_face_model(tmp_path / "none.npz")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"hello"])
def test_other_files_are_refused_with_a_cure(tmp_path, content):
    path = tmp_path / "bad.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"bad.npz is not a face model file.*build-face-model"):
        load_face_model(path)


def test_pickled_arrays_are_not_loaded(tmp_path):
    arrays = face_model_arrays(builtin_head().face_model) | {"name": np.array([object()], object)}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    (tmp_path / "evil.npz").write_bytes(buffer.getvalue())
    with pytest.raises(ValueError, match="not a face model file"):
        load_face_model(tmp_path / "evil.npz")


def test_a_truncated_file_is_refused(tmp_path):
    path = tmp_path / "half.npz"
    save_face_model(path, builtin_head().face_model)
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(ValueError, match="not a face model file"):
        load_face_model(path)
