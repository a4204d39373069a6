"""One real build of a few small sources, made once and shared by all tests that look at a version."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from flows.build_dataset import BuiltDataset, build_dataset
from flows.train import Trained as TrainedOutcome
from flows.train import TrainSettings, train
from model.samples.manifest import ManifestRow
from tasks.dataset.settings import BuildSettings
from tasks.face_models.build import build_face_model
from tasks.store.blobs import Store
from tasks.store.versions import read_rows
from tests.small_training import NAME as TOYS
from tests.small_training import publish_toys, toy_profile, write_profile
from tests.source_folder import add_bad_files, make_sources

REPOSITORY = Path(__file__).resolve().parents[1]

RunCommand = Callable[..., "subprocess.CompletedProcess[str]"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RealBuild:
    """A store with one version of real sources."""

    sources: Path
    face_model: Path
    settings: BuildSettings
    outcome: BuiltDataset

    @property
    def store(self) -> Store:
        return Store(self.settings.store)

    @property
    def rows(self) -> dict[str, ManifestRow]:
        """By source name."""
        rows = read_rows(self.store, self.settings.name, number=1)
        return {row.source_name: row for row in rows}


@pytest.fixture(scope="session")
def face_model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The builtin head in the native format."""
    path = tmp_path_factory.mktemp("face_model") / "builtin.npz"
    build_face_model("builtin", None, path)
    return path


@pytest.fixture(scope="session")
def source_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """clips/ with good and bad files, studio/ with one subject, planted/ outside of both."""
    root = make_sources(tmp_path_factory.mktemp("sources"))
    add_bad_files(root)
    return root


@pytest.fixture(scope="session")
def real_build(
    source_folder: Path, face_model_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> RealBuild:
    """All of it through all stages, two shards at once. Shared: copy the store before you change it."""
    settings = BuildSettings(
        clips=(source_folder / "clips",),
        studio=(source_folder / "studio",),
        face_model=face_model_file,
        store=tmp_path_factory.mktemp("build") / "store",
        name="small",
        workers=2,
    )
    outcome = build_dataset.fn(settings)
    return RealBuild(sources=source_folder, face_model=face_model_file, settings=settings, outcome=outcome)


@pytest.fixture
def own_store(real_build: RealBuild, tmp_path: Path) -> Store:
    """A copy of the built store, for a test that changes it."""
    shutil.copytree(real_build.settings.store, tmp_path / "store")
    return Store(tmp_path / "store")


@pytest.fixture(scope="session")
def run_command() -> RunCommand:
    """Run `portrait-rgbd` with arguments as a user would, in a process of its own."""

    def run(
        *arguments: str | Path, cwd: Path = REPOSITORY, env: Mapping[str, str] | None = None, umask: int = -1
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "flows", *map(str, arguments)],
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), **(env or {})},
            umask=umask,
            capture_output=True,
            text=True,
            timeout=240,
        )

    return run


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """Toy clips and all stages trained on them, by the flow."""

    store: Store
    settings: TrainSettings
    outcome: TrainedOutcome

    @property
    def out(self) -> Path:
        return self.settings.out


@pytest.fixture(scope="session")
def toy_store(tmp_path_factory: pytest.TempPathFactory, face_model_file: Path) -> Store:
    """One version of toy clips."""
    return publish_toys(tmp_path_factory.mktemp("toys"), face_model_file)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, toy_store: Store) -> Trained:
    """Trained once; tests only read it."""
    folder = tmp_path_factory.mktemp("training")
    settings = TrainSettings(
        store=toy_store.root,
        name=TOYS,
        profile=str(write_profile(folder, toy_profile())),
        out=folder / "R",
        workers=1,
    )
    return Trained(store=toy_store, settings=settings, outcome=train.fn(settings))


@pytest.fixture
def own_toys(toy_store: Store, tmp_path: Path) -> Store:
    """A copy of the toy store, for a test that changes it."""
    shutil.copytree(toy_store.root, tmp_path / "toys")
    return Store(tmp_path / "toys")
