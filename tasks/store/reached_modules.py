"""Find the modules of the project that a stage reaches, from import statements, without importing."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
CONTRACT = frozenset({"tasks.stage", "tasks.reasons", "model.samples.manifest"})
"""Modules of types that stages exchange; a change in them shows in the text of the stages themselves."""


def reached_modules(entry: str) -> list[str]:
    """Return the entry module and all project modules that it imports, also inside functions, sorted.

    The result is empty for a module outside the project.
    """
    found: set[str] = set()
    waiting = [entry]
    while waiting:
        name = waiting.pop()
        if _is_own(name) and name not in found | CONTRACT:
            found.add(name)
            waiting += _imported(name)
    return sorted(found)


@cache
def _imported(module: str) -> frozenset[str]:
    return frozenset(filter(_is_own, _names(ast.parse(_path(module).read_bytes()))))


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            # `from tasks.report import contact_sheet` names a module, too
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def _is_own(name: str) -> bool:
    return _path(name).is_file()


def _path(name: str) -> Path:
    return REPOSITORY.joinpath(*name.split(".")).with_suffix(".py")
