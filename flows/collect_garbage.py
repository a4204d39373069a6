"""Remove from a store what no version reaches."""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from flows.outcome import Outcome, tell_outcome
from model.settings import Settings
from tasks.store.blobs import Store
from tasks.store.garbage import Collected, collect


class CollectGarbageSettings(Settings):
    """Which store."""

    store: Path
    """The store's folder."""
    dry_run: bool = False
    """Count only, remove nothing."""


class CollectedGarbage(Outcome):
    """What was removed, or would be."""

    store: Path
    removed: Collected


@flow(
    name="collect-garbage",
    flow_run_name="collect-garbage {settings.store}",
    persist_result=False,
    on_completion=[tell_outcome],
)
def collect_garbage(settings: CollectGarbageSettings) -> CollectedGarbage:
    """Blobs, ledger records and folders that no dataset version reaches are removed."""
    store = Store(settings.store)
    return CollectedGarbage(store=store.root, removed=collect(store, dry_run=settings.dry_run))
