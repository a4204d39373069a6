"""The line of the DAG that a stage has, for tests of that stage."""

from __future__ import annotations

from tasks.chain import Node
from tasks.dag import ENCODING, STUDIO, WILD


def find_node(name: str) -> Node:
    """The first node of that name."""
    return next(node for chain in (WILD, STUDIO, ENCODING) for node in chain if node.name == name)
