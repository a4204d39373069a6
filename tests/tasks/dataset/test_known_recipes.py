"""Recipes from the store are those that the stages would give, and only of this very code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tasks.dag import data_stages
from tasks.dataset import known_recipes
from tasks.dataset.known_recipes import code_digest, stage_recipes
from tasks.dataset.settings import StageSettings
from tasks.stage import load_stage
from tasks.store.blobs import Store
from tasks.store.recipes import recipe_of
from tests.conftest import REPOSITORY

SETTINGS = {
    name: settings for name, settings in StageSettings().by_name().items() if name in ("fit", "sound")
}
NODES = [node for node in data_stages() if node.name in SETTINGS]
HEAVY = {"numba", "matplotlib", "mediapipe", "torch", "pyarrow", "scipy"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "store")


def note(store: Store) -> Path:
    (path,) = (store.root / "builds").iterdir()
    return path


def test_first_and_later_recipes_are_the_stages_own(store: Store) -> None:
    own = [recipe_of(load_stage(node.dotted), SETTINGS[node.name]) for node in NODES]
    assert stage_recipes(store, NODES, SETTINGS) == own
    assert stage_recipes(store, NODES, SETTINGS) == own
    note(store)


def test_a_note_is_taken_without_loading_the_stages(store: Store) -> None:
    stage_recipes(store, data_stages(), StageSettings().by_name())
    code = (
        "import sys; from pathlib import Path\n"
        "from tasks.dataset.build import stage_recipes\n"
        "from tasks.dag import data_stages\n"
        "from tasks.dataset.settings import StageSettings\n"
        "from tasks.store.blobs import Store\n"
        f"store = Store(Path({str(store.root)!r}))\n"
        "print(len(stage_recipes(store, data_stages(), StageSettings().by_name())))\n"
        f"print({HEAVY!r} & sys.modules.keys())"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, check=True, capture_output=True, text=True
    )
    assert told.stdout.splitlines() == ["11", "set()"]


def test_other_settings_or_code_are_another_note(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    stage_recipes(store, NODES, SETTINGS)
    stage_recipes(store, NODES[1:], SETTINGS)
    assert len(list((store.root / "builds").iterdir())) == 2
    monkeypatch.setattr(known_recipes, "code_digest", lambda packages: "0" * 64)
    stage_recipes(store, NODES, SETTINGS)
    assert len(list((store.root / "builds").iterdir())) == 3


def test_any_changed_or_added_module_is_other_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_recipes, "REPOSITORY", tmp_path)
    (tmp_path / "tasks" / "deep").mkdir(parents=True)
    module = tmp_path / "tasks" / "deep" / "one.py"
    module.write_text("a = 1\n")
    digests = [code_digest({"tasks"})]
    module.write_text("a = 2\n")
    digests.append(code_digest({"tasks"}))
    module.with_name("other.py").write_text("")
    digests.append(code_digest({"tasks"}))
    assert len(set(digests)) == 3


def test_a_note_of_another_tool_version_or_a_damaged_one_is_written_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = stage_recipes(store, NODES, SETTINGS)
    note(store).write_bytes(note(store).read_bytes().replace(b'"numpy":"', b'"numpy":"9'))
    assert stage_recipes(store, NODES, SETTINGS) == own
    later = dict.fromkeys(own[0].tools, "later")
    monkeypatch.setattr("tasks.dataset.known_recipes.fingerprints", lambda names: later)
    monkeypatch.setattr("tasks.store.recipes.fingerprints", lambda names: dict.fromkeys(names, "later"))
    assert {
        version for recipe in stage_recipes(store, NODES, SETTINGS) for version in recipe.tools.values()
    } == {"later"}
