"""The record of a build: everything that it depends on, known before a stage runs."""

from __future__ import annotations

from model.settings import Record
from tasks.report.facts import SourceFacts
from tasks.stage import Json
from tasks.store.recipes import Recipe


class BuildRecord(Record):
    """What a build depends on, apart from the content of its clips."""

    name: str
    settings: dict[str, Json]
    """Settings that the rows depend on."""
    catalogue: str
    """Digest of the list of sources."""
    models: dict[str, str]
    """sha256 of the model files by role."""
    recipes: dict[str, Recipe]
    """Recipe of every stage, by Recipe.digest."""
    face_model: str
    sources: tuple[SourceFacts, ...]
    licences: dict[str, str]

    @property
    def tools(self) -> dict[str, str]:
        """Version of every tool that is part of a key."""
        return {name: version for recipe in self.recipes.values() for name, version in recipe.tools.items()}
