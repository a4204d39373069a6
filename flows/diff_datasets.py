"""Why two versions of a dataset differ."""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from flows.outcome import Outcome, tell_outcome
from model.settings import Settings
from tasks.store.blobs import Store
from tasks.store.diff import VersionDiff, count_causes, diff_versions
from tasks.store.versions import find_number, read_version


class DiffDatasetsSettings(Settings):
    """Which two versions."""

    store: Path
    """The store's folder."""
    name: str
    """The dataset's name."""
    old: str | None = None
    """A version's number or the start of its root; None = the one before `new`."""
    new: str | None = None
    """Likewise; None = the latest."""


class DatasetDiff(Outcome):
    """What changed, and why."""

    causes: dict[str, int]
    """Changed clips by cause: input, setting, code, model, tool."""
    diff: VersionDiff


@flow(
    name="diff-datasets",
    flow_run_name="diff-datasets {settings.name}",
    persist_result=False,
    on_completion=[tell_outcome],
)
def diff_datasets(settings: DiffDatasetsSettings) -> DatasetDiff:
    """Added, removed and changed clips of two versions, and the causes of every change."""
    store = Store(settings.store)
    new = find_number(store, settings.name, version=settings.new)
    old = new - 1 if settings.old is None else find_number(store, settings.name, version=settings.old)
    diff = diff_versions(
        store,
        old=read_version(store, settings.name, number=old),
        new=read_version(store, settings.name, number=new),
    )
    return DatasetDiff(causes=count_causes(diff), diff=diff)
