"""Bases of the data classes that cross a boundary: settings, and records that are written as JSON.

rendering/settings.py holds the same base for geometry, which knows nothing of what is learnt. Flows and tasks
use this one.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """Facts that are kept as JSON: immutable, and a field that is not known is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Settings(Record):
    """What a user may choose; the docstring of each field is its help text on the command line."""
