"""Read the arrays of a pickle without running code from it: only listed, harmless constructors exist.

Old face models come as Python 2 pickles of numpy arrays, scipy sparse matrices and chumpy arrays. Every
global that a pickle names is looked up in one list. Sparse matrices and chumpy arrays become plain stubs
that only hold their state.
"""

from __future__ import annotations

import codecs
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

MAX_BYTES = 2_000_000_000
"""Largest pickle that is read."""


class SparseState:
    """Stub that holds the state of a pickled scipy sparse matrix."""


class ChumpyState:
    """Stub that holds the state of a pickled chumpy array."""


def read_pickled_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a pickled dictionary, by key; entries of other types are left out.

    Raises:
        ValueError: the pickle names anything outside the list, is broken, or holds no dictionary.
    """
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"{path.name}: {path.stat().st_size} bytes, limit {MAX_BYTES}")
    with path.open("rb") as file:
        try:
            content = _Unpickler(file, encoding="latin1").load()
        except ValueError as error:
            raise ValueError(f"{path.name}: {error}") from error
        except (pickle.UnpicklingError, EOFError, AttributeError, IndexError, KeyError, TypeError) as error:
            raise ValueError(f"{path.name}: broken pickle ({error})") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path.name}: holds a {type(content).__name__}, need a dictionary of arrays")
    arrays = {str(key): _as_array(value) for key, value in content.items()}
    return {key: array for key, array in arrays.items() if array is not None}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("scipy.sparse") and name in ("csc_matrix", "csr_matrix"):
            return SparseState
        if module.startswith("chumpy"):
            return ChumpyState
        if (module, name) not in _ALLOWED:
            raise ValueError(
                f"the pickle asks for {module}.{name}, which is not a plain array; "
                "it was not run. Save the model's arrays as .npz instead"
            )
        return _ALLOWED[module, name]


def _array_shell(kind: type, shape: tuple[int, ...], code: bytes | str) -> NDArray[Any]:
    """Stands in for numpy's _reconstruct, for plain arrays only: an empty array that is filled later."""
    if kind is not np.ndarray:
        raise ValueError(f"the pickle rebuilds a {kind}, only arrays are read")
    return np.ndarray(shape, np.dtype(code.decode("latin1") if isinstance(code, bytes) else code))


def _from_buffer(data: bytes, kind: np.dtype[Any], shape: tuple[int, ...], order: str) -> NDArray[Any]:
    """Stands in for numpy's _frombuffer (pickle protocol 5), for numbers only."""
    if kind.hasobject:
        raise ValueError("the pickle holds an object array, only numbers are read")
    return np.frombuffer(data, kind).reshape(shape, order="F" if order == "F" else "C")


def _scalar(kind: np.dtype[Any], data: bytes | str = b"") -> Any:
    if kind.hasobject:
        raise ValueError("the pickle holds an object scalar, only numbers are read")
    return np.frombuffer(data.encode("latin1") if isinstance(data, str) else data, kind)[0]


def _new(kind: type, base: type, state: object) -> object:
    """Stands in for copyreg._reconstructor, for the stubs only."""
    if kind not in (SparseState, ChumpyState) or base is not object or state is not None:
        raise ValueError(f"the pickle rebuilds a {kind}, only arrays are read")
    return kind()


def _latin1(text: str, encoding: str) -> bytes:
    return codecs.encode(text, encoding if encoding in ("latin1", "latin-1") else "ascii")


_NUMPY_CORES = ("numpy.core.multiarray", "numpy._core.multiarray")
_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("copy_reg", "_reconstructor"): _new,
    ("copyreg", "_reconstructor"): _new,
    ("__builtin__", "object"): object,
    ("builtins", "object"): object,
    ("_codecs", "encode"): _latin1,
    **{(core, "_reconstruct"): _array_shell for core in _NUMPY_CORES},
    **{(core, "scalar"): _scalar for core in _NUMPY_CORES},
    ("numpy.core.numeric", "_frombuffer"): _from_buffer,
    ("numpy._core.numeric", "_frombuffer"): _from_buffer,
}


def _as_array(value: Any) -> NDArray[Any] | None:
    if isinstance(value, ChumpyState):
        return _as_array(vars(value).get("x"))
    if isinstance(value, SparseState):
        return _dense(vars(value))
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return value
    return None


def _dense(state: dict[str, Any]) -> NDArray[Any] | None:
    data, indices, pointers = (np.asarray(state.get(name)) for name in ("data", "indices", "indptr"))
    shape = state.get("_shape", state.get("shape"))
    if shape is None or data.dtype.hasobject or indices.dtype.hasobject or pointers.dtype.hasobject:
        return None
    rows, columns = (int(size) for size in shape)
    # csc has one pointer more than columns, csr one more than rows. The stub does not know its class, so
    # a square matrix counts as csc, which is what FLAME uses.
    kind = sparse.csc_matrix if len(pointers) == columns + 1 else sparse.csr_matrix
    return np.asarray(kind((data, indices, pointers), shape=(rows, columns)).todense())
