"""Split subjects into train, val and test: a salted hash decides once, and the decision is kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Literal, Self

from pydantic import Field, model_validator

from model.settings import Settings
from tasks.store.blobs import Store
from tasks.store.versions import CorruptVersion, latest_number, read_lock, read_rows

Split = Literal["train", "val", "test"]


class SplitSettings(Settings):
    """How new subjects are divided; subjects of earlier versions keep their split."""

    val_share: float = Field(default=0.05, ge=0, le=1)
    """Expected share of subjects for validation; every subject is drawn independently."""
    test_share: float = Field(default=0.05, ge=0, le=1)
    """Expected share of subjects for the final test; every subject is drawn independently."""
    salt: str = "portrait-rgbd"
    """Salt of the hash; another salt gives another draw."""

    @model_validator(mode="after")
    def _leaves_some_to_train_on(self) -> Self:
        if self.val_share + self.test_share > 1:
            raise ValueError(
                f"val_share {self.val_share} + test_share {self.test_share} is more than 1; lower one"
            )
        return self


def assign_splits(
    subjects: Iterable[str], *, previous: Mapping[str, Split], settings: SplitSettings
) -> dict[str, Split]:
    """Return the split by subject for these and all previous subjects; a previous subject is never moved."""
    drawn = {subject: _draw(subject, settings) for subject in subjects}
    # the previous decision wins: a person must never move from train to test
    return {**drawn, **previous}


def _draw(subject: str, settings: SplitSettings) -> Split:
    # file names that are no UTF-8 arrive as surrogates, and are subjects like any other
    named = f"{settings.salt}\0{subject}".encode("utf-8", "surrogatepass")
    # 53 bits, so that the quotient is exact
    share = (int.from_bytes(hashlib.sha256(named).digest()[:8]) >> 11) / 2**53
    if share < settings.test_share:
        return "test"
    return "val" if share < settings.test_share + settings.val_share else "train"


def previous_splits(store: Store, name: str) -> dict[str, Split]:
    """Return the split by subject of the latest version; empty for a new dataset.

    If its lock file is damaged, the splits are read from its rows, and those of other subjects from the
    version before.
    """
    return _splits_of(store, name, latest_number(store, name))


def _splits_of(store: Store, name: str, number: int) -> dict[str, Split]:
    if number == 0:
        return {}
    try:
        return dict(read_lock(store, name, number=number).splits)
    except CorruptVersion:
        rows = read_rows(store, name, number=number)
        return {**_splits_of(store, name, number - 1), **{row.subject_id: row.split for row in rows}}
