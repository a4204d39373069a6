"""What a flow returns: a small record, and whether all that was asked for was done."""

from __future__ import annotations

from pydantic import BaseModel


class Outcome(BaseModel, frozen=True, extra="forbid"):
    """Base of every flow's result; printed as one JSON object."""

    @property
    def exit_code(self) -> int:
        """0 only when all that was asked for is done."""
        return 0
