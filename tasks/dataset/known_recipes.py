"""The recipes of all stages. Where this very code was seen before, without loading what the stages load."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import BaseModel

from tasks.engine.registry import STAGE_MODULES, find_stage
from tasks.store.blobs import Store
from tasks.store.canonical import digest_of, seal, unseal
from tasks.store.durable import disk_faults, place, write_temporary
from tasks.store.fingerprints import fingerprints
from tasks.store.reached_modules import REPOSITORY
from tasks.store.recipes import Recipe, recipe_of

PACKAGES = frozenset({"tasks", "model", "rendering"})
"""Where stages and all that they reach are."""


def stage_recipes(store: Store, settings: Mapping[str, BaseModel]) -> list[Recipe]:
    """The recipe of each stage, from the store where code, settings and tools are those of an earlier build.

    A recipe says which tools it counts, so their versions of here and now are compared.
    """
    modules = {name: STAGE_MODULES.get(name, name) for name in settings}
    packages = PACKAGES | {module.partition(".")[0] for module in modules.values()}
    key = digest_of(
        {
            "code": code_digest(packages),
            "modules": modules,
            "settings": {name: one.model_dump(mode="json") for name, one in settings.items()},
        }
    )
    path = store.root / "builds" / f"recipes-{key}.json"
    held = _held(path)
    if held and all(recipe.tools == fingerprints(recipe.tools) for recipe in held):
        return held
    recipes = [recipe_of(find_stage(name), one) for name, one in settings.items()]
    data = seal({"recipes": [recipe.model_dump(mode="json") for recipe in recipes]})
    with disk_faults(store.root, len(data)):
        place(write_temporary(store.root / "tmp", data), path)
    return recipes


def code_digest(packages: Iterable[str]) -> str:
    """One digest of the source text of all modules of some packages."""
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
