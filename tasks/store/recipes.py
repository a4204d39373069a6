"""Recipes and action keys: the name of all that a stage's output depends on."""

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
    """The part of an action key that all clips of a build share."""

    stage: str
    version: int
    modules: dict[str, str]
    """Module -> sha256 of its source text."""
    settings: dict[str, Json]
    tools: dict[str, str]
    """Distribution or program -> version."""

    @cached_property
    def digest(self) -> str:
        """The sha256 of the recipe's canonical JSON."""
        return digest_of(self.model_dump(mode="json"))


def recipe_of(stage: Stage[Any], settings: BaseModel) -> Recipe:
    """What a stage depends on here and now, but for the clip; make it once per build and stage."""
    return Recipe(
        stage=stage.name,
        version=stage.version,
        modules=module_digests({*reached_modules(stage.run.__module__), *stage.modules}),
        settings=settings.model_dump(mode="json"),
        tools=fingerprints(stage.tools),
    )


def action_key(recipe: str, *, inputs: Mapping[str, str], given: Mapping[str, Json]) -> str:
    """The key of one stage of one clip.

    Args:
        recipe: Recipe.digest.
        inputs: role -> sha256 of every file the stage reads, models included.
        given: the small inputs, StageInput.values.
    """
    return digest_of({"recipe": recipe, "inputs": dict(inputs), "given": dict(given)})
