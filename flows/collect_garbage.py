"""Free disk space: remove the files of a store that no dataset version needs."""

from __future__ import annotations

from pathlib import Path

from flows.outcome import Outcome, goal
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


@goal("collect-garbage {settings.store}")
def collect_garbage(settings: CollectGarbageSettings) -> CollectedGarbage:
    """Remove the blobs, ledger records and folders that no dataset version reaches."""
    store = Store(settings.store)
    return CollectedGarbage(store=store.root, removed=collect(store, dry_run=settings.dry_run))
