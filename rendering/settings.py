"""Base of all settings of geometry; model/settings.py holds the same for the rest of the project."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class GeometrySettings(BaseModel):
    """What a user may choose; the docstring of each field is its help text on the command line."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
