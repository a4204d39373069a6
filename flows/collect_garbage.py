"""Free disk space: remove the files of a store that no dataset version needs."""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from flows.outcome import Outcome, tell_outcome
from model.settings import Settings
from tasks.store.blobs import Store
from tasks.store.garbage import Collected, collect


class CollectGarbageSettings(Settings):
    """Which store to clean."""

    store: Path
    """Folder of the store."""
    dry_run: bool = False
    """Count what would be removed, and remove nothing."""


class CollectedGarbage(Outcome):
    """What was removed, or would be removed in a dry run."""

    store: Path
    removed: Collected


@flow(
    name="collect-garbage",
    flow_run_name="collect-garbage {settings.store}",
    persist_result=False,
    on_completion=[tell_outcome],
)
def collect_garbage(settings: CollectGarbageSettings) -> CollectedGarbage:
    """Remove the blobs, ledger records and folders that no dataset version reaches."""
    store = Store(settings.store)
    return CollectedGarbage(store=store.root, removed=collect(store, dry_run=settings.dry_run))
