"""The ledger: one record for each finished stage of a clip, written after the blobs it names.

A rejection is an outcome like any other and is recorded, so that a rebuild does not try again. `timeout`
and `crashed` may be the machine's fault: they are recorded only after a second attempt.
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
"""A transient rejection is believed at this attempt."""


class Action(Record, allow_inf_nan=False):
    """What one stage made of one clip, and of what."""

    stage: str
    recipe: str
    """Recipe.digest; with `inputs` and `given` it makes the action's key."""
    inputs: dict[str, str]
    """Role -> sha256 of every file it read."""
    given: dict[str, Json]
    """The small inputs (StageInput.values)."""
    outputs: dict[str, Blob] = Field(default={})
    """Role -> blob; empty when the clip was rejected."""
    values: dict[str, Json] = Field(default={})
    """StageOutput.values."""
    reason: Reason | None = None
    """Why the clip was rejected here; None = it passed."""
    detail: str | None = None
    attempts: int = 1
    """Tries it took, counted for timeout and crashed."""
    wall_s: float | None = None
    """A fact for the throughput table, not part of any key."""
    cpu_s: float | None = None
    """Likewise."""

    @property
    def key(self) -> str:
        """The action key that this record answers."""
        return action_key(self.recipe, inputs=self.inputs, given=self.given)


def record_action(store: Store, action: Action) -> str:
    """Write the record of a finished action and return its key; the blobs must be stored already.

    Two builders of the same action write the same outputs: the last record stays.
    """
    if action.reason in TRANSIENT and action.attempts < FINAL_ATTEMPT:
        raise ValueError(f"{action.stage}: {action.reason} may be the machine's fault; try again first")
    data = seal(action.model_dump(mode="json"))
    with disk_faults(store.root, len(data)):
        place(write_temporary(store.root / "tmp", data), store.root / "actions" / f"{action.key}.json")
    return action.key


def find_action(store: Store, key: str) -> Action | None:
    """The finished action of this key; None where the stage must run.

    None as well when the record is torn, damaged or of another key, or when a blob it names is missing
    or has another size. Contents are hashed where they are read: Store.checked_blob.
    """
    action = read_action(store, key)
    if action is None:
        return None
    whole = all(store.has_blob(blob.sha256, size=blob.bytes) for blob in action.outputs.values())
    return action if whole else None


def read_action(store: Store, key: str) -> Action | None:
    """The record of this key if it is sound, whether or not its blobs are still there."""
    try:
        record: Any = unseal((store.root / "actions" / f"{key}.json").read_bytes())
        action = Action.model_validate(record)
    except (OSError, ValidationError):
        return None
    return action if action.key == key else None
