"""Explain why a clip came out differently: compare recipes and inputs of its stages, old and new."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from model.settings import Record
from tasks.stage import Json
from tasks.store.actions import Action, read_action
from tasks.store.blobs import Store
from tasks.store.recipes import Recipe


class Cause(Record):
    """A change in something that a stage depends on."""

    kind: Literal["input", "setting", "code", "model", "tool", "unstable", "unknown"]
    """Kind of change. input: a source file or a figure. unstable: the same recipe and inputs gave another
    outcome. unknown: the ledger no longer has the record."""
    stage: str
    name: str
    """Name of the input, setting, module, model or tool."""
    old: Json = None
    new: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """One side of the comparison: the stages of a clip, and the store that records them."""

    store: Store
    steps: tuple[tuple[str, str], ...]
    """Stage and action key of each stage, in order."""
    recipes: Mapping[str, Recipe]
    models: Mapping[str, str]
    """sha256 by role of the inputs that all clips share."""


def same_outcome(was: Action, now: Action) -> bool:
    """Whether two actions gave the same files, figures and verdict."""
    return (was.outputs, was.values, was.reason) == (now.outputs, now.values, now.reason)


def explain(old: History, new: History) -> list[Cause]:
    """Return the causes of the first stage whose outcome differs, and those that later stages add."""
    causes: list[Cause] = []
    upstream_differs = False
    new_keys = dict(new.steps)
    for stage, old_key in old.steps:
        if stage not in new_keys:
            continue
        was, now = read_action(old.store, old_key), read_action(new.store, new_keys[stage])
        if was is None or now is None:
            causes.append(Cause(kind="unknown", stage=stage, name="no record in the ledger"))
        elif not same_outcome(was, now):
            causes += _recipe_causes(old.recipes.get(was.recipe), new.recipes.get(now.recipe), stage)
            causes += _input_causes(was, now, models={*old.models, *new.models}, derived=upstream_differs)
            if was.key == now.key:
                causes.append(Cause(kind="unstable", stage=stage, name="same recipe and inputs"))
            upstream_differs = True
    return causes


def _recipe_causes(was: Recipe | None, now: Recipe | None, stage: str) -> Iterator[Cause]:
    if was is None or now is None:
        yield Cause(kind="unknown", stage=stage, name="no recipe in the lock file")
        return
    if was.version != now.version:
        yield Cause(kind="code", stage=stage, name="stage version", old=was.version, new=now.version)
    for name, before, after in _changes(was.modules, now.modules):
        yield Cause(kind="code", stage=stage, name=name, old=before, new=after)
    for name, before, after in _changes(_flat(was.settings), _flat(now.settings)):
        yield Cause(kind="setting", stage=stage, name=name, old=before, new=after)
    for name, before, after in _changes(was.tools, now.tools):
        yield Cause(kind="tool", stage=stage, name=name, old=before, new=after)


def _input_causes(was: Action, now: Action, *, models: set[str], derived: bool) -> Iterator[Cause]:
    """Return changed inputs. Outputs of an earlier stage count only if no earlier stage differs."""
    for role, before, after in _changes(was.inputs, now.inputs):
        if role.split("/")[0] in models:
            yield Cause(kind="model", stage=was.stage, name=role, old=before, new=after)
        elif not derived:
            yield Cause(kind="input", stage=was.stage, name=role, old=before, new=after)
    if not derived:
        for name, before, after in _changes(_flat(was.given), _flat(now.given)):
            yield Cause(kind="input", stage=was.stage, name=name, old=before, new=after)


def _changes(was: Mapping[str, Json], now: Mapping[str, Json]) -> Iterator[tuple[str, Json, Json]]:
    for name in sorted({*was, *now}):
        if was.get(name) != now.get(name):
            yield name, was.get(name), now.get(name)


def _flat(values: Mapping[str, Json], prefix: str = "") -> dict[str, Json]:
    """Flatten nested settings: {"crop": {"scale": 2}} -> {"crop.scale": 2}."""
    flat: dict[str, Json] = {}
    for name, value in values.items():
        nested = isinstance(value, Mapping) and value
        flat |= _flat(value, f"{prefix}{name}.") if nested else {f"{prefix}{name}": value}
    return flat
