"""The recipes of all stages, without loading the stages where the same code was seen before."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import BaseModel

from tasks.chain import Node
from tasks.stage import load_stage
from tasks.store.blobs import Store
from tasks.store.canonical import digest_of, seal, unseal
from tasks.store.durable import disk_faults, place, write_temporary
from tasks.store.fingerprints import fingerprints
from tasks.store.reached_modules import REPOSITORY
from tasks.store.recipes import Recipe, recipe_of

PACKAGES = frozenset({"tasks", "model", "rendering"})
"""Packages that hold the stages and all modules that stages can reach."""


def stage_recipes(store: Store, nodes: Iterable[Node], settings: Mapping[str, BaseModel]) -> list[Recipe]:
    """Return the recipe of each stage, read from the store if code, settings and tools did not change.

    A stored recipe lists the tools that it depends on, and is used only if their versions are the same today.
    """
    modules = {node.name: node.dotted for node in nodes}
    packages = PACKAGES | {module.partition(".")[0] for module in modules.values()}
    key = digest_of(
        {
            "code": code_digest(packages),
            "modules": modules,
            "settings": {name: settings[name].model_dump(mode="json") for name in modules},
        }
    )
    path = store.root / "builds" / f"recipes-{key}.json"
    held = _held(path)
    if held and all(recipe.tools == fingerprints(recipe.tools) for recipe in held):
        return held
    recipes = [recipe_of(load_stage(module), settings[name]) for name, module in modules.items()]
    data = seal({"recipes": [recipe.model_dump(mode="json") for recipe in recipes]})
    with disk_faults(store.root, len(data)):
        place(write_temporary(store.root / "tmp", data), path)
    return recipes


def code_digest(packages: Iterable[str]) -> str:
    """Digest the source text of all modules of the packages."""
    digest = hashlib.sha256()
    for package in sorted(packages):
        for path in sorted((REPOSITORY / package).rglob("*.py")):
            digest.update(f"{path.relative_to(REPOSITORY)}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _held(path: Path) -> list[Recipe]:
    try:
        noted = unseal(path.read_bytes()) or {}
    except FileNotFoundError:
        noted = {}
    return [Recipe.model_validate(recipe) for recipe in noted.get("recipes", [])]
