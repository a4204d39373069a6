"""Chains of stages: what tasks/dag.py is written in, and the check that each stage finds what it takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from tasks.roles import check_roles


class Skip(NamedTuple):
    """When and why a clip passes a stage by."""

    without: str
    """Role that the clip lacks."""
    because: str
    """Why a sound clip may lack it, for docs and for readers."""


@dataclass(frozen=True, slots=True)
class Node:
    """One stage of a chain."""

    name: str
    module: str
    """Module in tasks/stages with the constant STAGE; a name with dots is the module's full name."""
    takes: tuple[str, ...]
    """Roles of the files that the stage reads; "image/*" are all roles that begin with "image/"."""
    gives: tuple[str, ...]
    """Roles of the files that the stage may write."""
    may_take: tuple[str, ...] = ()
    """Roles that the stage reads where the clip has them."""
    reads: tuple[str, ...] = ()
    """Names of the values that the stage reads where the clip has them; they are part of the key."""
    skip: Skip | None = None
    per_video: bool = False
    """Run once for all clips of a source video. Blobs are then called "<role>/<index>", the values are
    {"clips": [the values of each clip]}, and what the stage returns goes to every clip."""

    @property
    def dotted(self) -> str:
        """The module's full name."""
        return self.module if "." in self.module else f"tasks.stages.{self.module}"


@dataclass(frozen=True, slots=True)
class Chain:
    """The stages that clips of one kind go through, in order.

    Raises:
        ValueError: a stage takes a role that no source, model or earlier stage gives.
    """

    kind: str
    given: tuple[str, ...]
    """Roles that sources and models of this kind may bring."""
    nodes: tuple[Node, ...]

    def __post_init__(self) -> None:
        held = set(self.given)
        check_roles(self.given)
        for node in self.nodes:
            check_roles((*node.takes, *node.may_take, *node.gives))
            missing = [role for role in node.takes if role not in held]
            if missing:
                raise ValueError(
                    f"chain {self.kind}: stage {node.name} takes {missing[0]!r}, which no source, model or "
                    f"earlier stage gives; given so far: {', '.join(sorted(held))}"
                )
            held.update(node.gives)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    @property
    def names(self) -> tuple[str, ...]:
        """The stages' names, in order."""
        return tuple(node.name for node in self.nodes)
