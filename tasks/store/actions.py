"""The ledger: one record for each finished stage of a clip, written after the blobs it names.

A rejection is an outcome like any other: it is recorded, so that a rebuild does not try again. `timeout` and
`crashed` may be the fault of the machine, so they are recorded only after a second attempt.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field, ValidationError

from model.settings import Record
from tasks.reasons import Reason
from tasks.stage import Json
from tasks.store.blobs import Blob, Store
from tasks.store.canonical import seal, unseal
from tasks.store.durable import disk_faults, place, write_temporary
from tasks.store.recipes import action_key

TRANSIENT = frozenset({Reason.TIMEOUT, Reason.CRASHED})
FINAL_ATTEMPT = 2
"""Attempt from which on a timeout or crash counts as the verdict."""


class Action(Record, allow_inf_nan=False):
    """Record of one stage for one clip: its inputs, its outputs and its verdict."""

    stage: str
    recipe: str
    """Recipe.digest; together with `inputs` and `given` it gives the key of the action."""
    inputs: dict[str, str]
    """sha256 by role of every file that the stage read."""
    given: dict[str, Json]
    """Small inputs (StageInput.values)."""
    outputs: dict[str, Blob] = Field(default={})
    """Blob by role; empty if the clip was rejected."""
    values: dict[str, Json] = Field(default={})
    """Figures that the stage returned (StageOutput.values)."""
    reason: Reason | None = None
    """Why the stage rejected the clip; None if it passed."""
    detail: str | None = None
    attempts: int = 1
    """Number of attempts, counted for timeouts and crashes."""
    wall_s: float | None = None
    """Duration, seconds; shown in the throughput table, not part of any key."""
    cpu_s: float | None = None
    """Processor time, seconds; shown in the throughput table, not part of any key."""

    @property
    def key(self) -> str:
        """Key of the action."""
        return action_key(self.recipe, inputs=self.inputs, given=self.given)


def record_action(store: Store, action: Action) -> str:
    """Write the record of a finished action and return its key. The blobs must be in the store already.

    Two builders of the same action write the same outputs, so it does not matter whose record stays.
    """
    if action.reason in TRANSIENT and action.attempts < FINAL_ATTEMPT:
        raise ValueError(f"{action.stage}: {action.reason} may be the machine's fault; try again first")
    data = seal(action.model_dump(mode="json"))
    with disk_faults(store.root, len(data)):
        place(write_temporary(store.root / "tmp", data), store.root / "actions" / f"{action.key}.json")
    return action.key


def find_action(store: Store, key: str) -> Action | None:
    """Find the finished action of a key; None if the stage must run.

    The result is None too if the record is torn, damaged or belongs to another key, or if a blob that it
    names is missing or has another size. Contents are hashed where they are read, by Store.checked_blob.
    """
    action = read_action(store, key)
    if action is None:
        return None
    whole = all(store.has_blob(blob.sha256, size=blob.bytes) for blob in action.outputs.values())
    return action if whole else None


def read_action(store: Store, key: str) -> Action | None:
    """Read the record of a key if it is sound, whether or not its blobs still exist."""
    try:
        record: Any = unseal((store.root / "actions" / f"{key}.json").read_bytes())
        action = Action.model_validate(record)
    except (OSError, ValidationError):
        return None
    return action if action.key == key else None
