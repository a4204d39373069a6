"""Functions that numba compiles, once per machine where it can keep the result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function) -> Function:
    """Compile on first use; float rules are numpy's and exact (no fastmath): the same results everywhere.

    The machine code is kept beside the source, else in NUMBA_CACHE_DIR or the user's cache folder. In a
    container where none of them can be written numba refuses to cache; then every process compiles anew,
    which costs seconds, not results.
    """
    try:
        kept: Any = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError as error:
        if "no locator available" not in str(error):
            raise
        kept = numba.njit(nogil=True, error_model="numpy")(function)
    return cast(Function, kept)
