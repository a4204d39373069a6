"""Recipes and action keys: names for everything that the output of a stage depends on."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from pydantic import BaseModel

from model.settings import Record
from tasks.stage import Json, Stage
from tasks.store.canonical import digest_of
from tasks.store.fingerprints import fingerprints, module_digests
from tasks.store.reached_modules import reached_modules


class Recipe(Record):
    """The part of an action key that is the same for all clips of a build."""

    stage: str
    version: int
    modules: dict[str, str]
    """sha256 of the source text by module."""
    settings: dict[str, Json]
    tools: dict[str, str]
    """Version by distribution or program."""

    @cached_property
    def digest(self) -> str:
        """sha256 of the canonical JSON of the recipe."""
        return digest_of(self.model_dump(mode="json"))


def recipe_of(stage: Stage[Any], settings: BaseModel) -> Recipe:
    """Return everything that a stage depends on here and now, apart from the clip. Call it once per build."""
    return Recipe(
        stage=stage.name,
        version=stage.version,
        modules=module_digests({*reached_modules(stage.run.__module__), *stage.modules}),
        settings=settings.model_dump(mode="json"),
        tools=fingerprints(stage.tools),
    )


def action_key(recipe: str, *, inputs: Mapping[str, str], given: Mapping[str, Json]) -> str:
    """Return the key of one stage of one clip.

    Args:
        recipe: Recipe.digest.
        inputs: sha256 by role of every file that the stage reads, including models.
        given: small inputs, StageInput.values.
    """
    return digest_of({"recipe": recipe, "inputs": dict(inputs), "given": dict(given)})
