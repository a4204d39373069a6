"""Why two versions of a dataset differ."""

from __future__ import annotations

from pathlib import Path

from flows.outcome import Outcome, goal
from model.settings import Settings
from tasks.store.blobs import Store
from tasks.store.diff import VersionDiff, count_causes, diff_versions
from tasks.store.versions import find_number, read_version


class DiffDatasetsSettings(Settings):
    """Which two versions to compare."""

    store: Path
    """Folder of the store."""
    name: str
    """Name of the dataset."""
    old: str | None = None
    """Number of the old version, or the start of its root; default: the version before the new one."""
    new: str | None = None
    """Number of the new version, or the start of its root; default: the latest version."""


class DatasetDiff(Outcome):
    """What changed, and why."""

    causes: dict[str, int]
    """Changed clips by cause: input, setting, code, model, tool."""
    diff: VersionDiff


@goal("diff-datasets {settings.name}")
def diff_datasets(settings: DiffDatasetsSettings) -> DatasetDiff:
    """List the clips that were added, removed or changed between two versions, and why each changed."""
    store = Store(settings.store)
    new = find_number(store, settings.name, version=settings.new)
    old = new - 1 if settings.old is None else find_number(store, settings.name, version=settings.old)
    diff = diff_versions(
        store,
        old=read_version(store, settings.name, number=old),
        new=read_version(store, settings.name, number=new),
    )
    return DatasetDiff(causes=count_causes(diff), diff=diff)
