import os
import pickle
import sys
import types

import numpy as np
import pytest
from scipy import sparse

from tasks.face_models.allow_list_pickle import read_pickled_arrays


class Runs:
    """Pickles to a call of any function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def dump(path, content, protocol=2):
    path.write_bytes(pickle.dumps(content, protocol))
    return path


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_arrays_and_sparse_matrices_come_out(tmp_path, protocol):
    matrix = sparse.csc_matrix(np.arange(12.0).reshape(3, 4))
    content = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "f": np.arange(3), "j": matrix, "text": "x"}
    if protocol == 5:
        content["a"] = np.asfortranarray(content["a"])
    arrays = read_pickled_arrays(dump(tmp_path / "m.pkl", content, protocol))
    assert sorted(arrays) == ["a", "f", "j"]
    np.testing.assert_array_equal(arrays["a"], content["a"])
    np.testing.assert_array_equal(arrays["j"], matrix.todense())


def test_chumpy_arrays_give_their_values_without_chumpy(tmp_path, monkeypatch):
    module = types.ModuleType("chumpy.ch")
    module.Ch = type("Ch", (), {"__module__": "chumpy.ch"})
    monkeypatch.setitem(sys.modules, "chumpy", types.ModuleType("chumpy"))
    monkeypatch.setitem(sys.modules, "chumpy.ch", module)
    value = module.Ch()
    value.x = np.ones((4, 3))
    path = dump(tmp_path / "m.pkl", {"v_template": value})
    monkeypatch.delitem(sys.modules, "chumpy.ch")
    np.testing.assert_array_equal(read_pickled_arrays(path)["v_template"], np.ones((4, 3)))


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize(
    "function", [os.system, eval, exec, open, getattr, __import__, np.load, np.fromfile, pickle.loads]
)
def test_nothing_else_runs(tmp_path, function, protocol):
    trace = tmp_path / "trace"
    evil = Runs(function, f"touch {trace}")
    with pytest.raises(ValueError, match="not a plain array; it was not run"):
        read_pickled_arrays(dump(tmp_path / "evil.pkl", {"a": np.ones(3), "b": evil}, protocol))
    assert not trace.exists()


def test_a_constructor_of_the_list_cannot_be_made_to_build_other_things(tmp_path):
    for evil in (Runs(np.core.multiarray._reconstruct, os.stat_result, (0,), b"b"),):
        with pytest.raises(ValueError, match=r"not run|only arrays"):
            read_pickled_arrays(dump(tmp_path / "evil.pkl", {"b": evil}))


def test_object_arrays_are_left_out(tmp_path):
    path = dump(tmp_path / "m.pkl", {"a": np.array([None, "x"], object), "b": np.ones(2)})
    assert list(read_pickled_arrays(path)) == ["b"]


@pytest.mark.parametrize("data", [b"", b"\x80\x02", b"nonsense", pickle.dumps([1, 2])])
def test_broken_files_are_errors_with_the_name(tmp_path, data):
    path = tmp_path / "broken.pkl"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"broken\.pkl"):
        read_pickled_arrays(path)
