"""The one way in which rendering compiles functions with numba."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function) -> Function:
    """Compile a function on its first call.

    Floating-point rules are numpy's, without fastmath: no sum is reordered, so that results do not depend on
    the machine.

    This writes files: numba keeps the machine code in NUMBA_CACHE_DIR if that is set, else beside the source,
    else in the user's cache folder. Where none of them can be written, as in some containers, numba refuses
    to cache. Then every process compiles anew, which costs seconds and changes no result. The cache names the
    types of arguments: after a NamedTuple of a kernel is renamed, delete the .nbi files beside the source.
    """
    try:
        kept: Any = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError as error:
        if "no locator available" not in str(error):
            raise
        kept = numba.njit(nogil=True, error_model="numpy")(function)
    return cast(Function, kept)
