"""Fingerprints of code and tools: digests of the source text of modules, and versions of tools."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path


def _ffmpeg() -> str:
    # here, because most processes that compute keys never start ffmpeg
    from tasks.media.ffmpeg_tool import ffmpeg_fingerprint

    return ffmpeg_fingerprint()


PROGRAMS: dict[str, Callable[[], str]] = {"ffmpeg": _ffmpeg}
"""Functions that read the fingerprint of tools that are no Python distributions."""


def fingerprints(names: Iterable[str]) -> dict[str, str]:
    """Return the version of each named distribution or program; each is read once per process."""
    return {name: _fingerprint(name) for name in sorted(names)}


@cache
def _fingerprint(name: str) -> str:
    if name in PROGRAMS:
        return PROGRAMS[name]()
    return importlib.metadata.version(name)


def module_digests(names: Iterable[str]) -> dict[str, str]:
    """Return the sha256 of the source file of each module; each is read once per process."""
    return {name: _module_digest(name) for name in sorted(names)}


@cache
def _module_digest(name: str) -> str:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"a stage depends on the module {name}, which does not exist")
    if spec.submodule_search_locations is not None:
        raise ValueError(f"{name} is a package; a stage names the modules whose code it runs")
    return hashlib.sha256(Path(spec.origin).read_bytes()).hexdigest()
