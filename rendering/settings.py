"""Base class of the settings of geometry; model/settings.py has the one of the rest of the project."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class GeometrySettings(BaseModel):
    """Values that a user may choose; the docstring of each field is its help text on the command line."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
