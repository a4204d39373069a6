"""What a build is, before anything has run."""

from __future__ import annotations

from model.settings import Record
from tasks.report.facts import SourceFacts
from tasks.stage import Json
from tasks.store.recipes import Recipe


class BuildRecord(Record):
    """What a build was, apart from its clips."""

    name: str
    settings: dict[str, Json]
    """Settings that the rows depend on."""
    catalogue: str
    """Digest of the list of sources."""
    models: dict[str, str]
    """Role -> sha256 of the model files."""
    recipes: dict[str, Recipe]
    """Recipe.digest -> recipe of every stage."""
    face_model: str
    sources: tuple[SourceFacts, ...]
    licences: dict[str, str]

    @property
    def tools(self) -> dict[str, str]:
        """Version of every tool in the keys."""
        return {name: version for recipe in self.recipes.values() for name, version in recipe.tools.items()}
