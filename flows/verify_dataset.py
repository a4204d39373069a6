"""Check a dataset version against its digests, and recompute a sample of it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import NonNegativeInt

from flows.outcome import Outcome, goal
from model.settings import Settings
from tasks.dataset.recompute import Recomputation
from tasks.engine.run_stage import RunSettings
from tasks.store.blobs import Store
from tasks.store.verify import Rerun, Verification, verify_version
from tasks.store.versions import find_number, read_version


class VerifyDatasetSettings(Settings):
    """Which version to check, and how many clips to recompute."""

    store: Path
    """Folder of the store."""
    name: str
    """Name of the dataset."""
    version: str | None = None
    """Number of the version, or the start of its root; default: the latest version."""
    recompute: NonNegativeInt | Literal["all"] = 1
    """Number of clips whose stages are run again and compared, or "all"; the choice is always the same."""
    run: RunSettings = RunSettings()
    """Limits of time and memory for each clip."""


class VerifiedDataset(Outcome):
    """What was checked, and every difference that was found."""

    verified: Verification

    @property
    def exit_code(self) -> int:
        """1 where anything differs."""
        return int(bool(self.verified.findings))


@goal("verify-dataset {settings.name}")
def verify_dataset(settings: VerifyDatasetSettings) -> VerifiedDataset:
    """Hash all files of a version again, recompute some clips, and name the first stage that differs."""
    store = Store(settings.store)
    number = find_number(store, settings.name, version=settings.version)
    sample = None if settings.recompute == "all" else settings.recompute
    with tempfile.TemporaryDirectory() as folder:

        def rerun(chosen: Sequence[str]) -> Rerun:
            version = read_version(store, settings.name, number=number)
            recomputation = Recomputation(store=store, version=version, run=settings.run)
            return recomputation.rerun(chosen, scratch=Store.create(Path(folder)))

        verified = verify_version(store, settings.name, number=number, recompute=rerun, sample=sample)
    return VerifiedDataset(verified=verified)
