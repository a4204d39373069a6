"""Figures about source code: right on a small tree, and within the limits on this one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmarks.structure import ROOT, Module, cycles, imports_of, measure, read_modules

TREE = {
    "tasks/__init__.py": '"""Verbs."""\n',
    "tasks/chain.py": "from tasks.store.blobs import Blob\n\n\nclass Node:\n    blob: Blob\n",
    "tasks/store/__init__.py": "",
    "tasks/store/blobs.py": '''"""Files named by digest."""
from typing import TYPE_CHECKING

from model import heads

if TYPE_CHECKING:
    from tasks.media.video import Video


class Blob:
    """The same as a file."""

    # Hard links are cheap, copies are not.
    size: int  # noqa: A003
    """Of the file."""
''',
    "tasks/media/video.py": '''
def read(path):
    from tasks import chain

    x = chain.Node()  # type: ignore[call-arg]
    return x


class Video:
    """Those are frames."""
''',
    "model/__init__.py": "",
    "model/heads.py": "class Node:\n    pass\n",
}


@pytest.fixture
def small_tree(tmp_path: Path) -> list[Module]:
    for name, text in TREE.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return read_modules(tmp_path, ("tasks", "model"))


def test_lengths_and_folders_of_a_small_tree(small_tree: list[Module]) -> None:
    figures = measure(small_tree)
    assert figures["modules"] == 7
    assert figures["module_lines"] == {"median": 2, "p90": 12, "longest": 15, "where": "tasks.store.blobs"}
    assert figures["function_lines"] == {
        "median": 5,
        "p90": 5,
        "longest": 5,
        "where": "tasks.media.video.read:2",
    }
    assert figures["largest_folder"] == {"folder": "tasks", "files": 1}


def test_a_cycle_is_found_through_functions_and_type_checking(small_tree: list[Module]) -> None:
    figures = measure(small_tree)
    assert figures["folder_cycles"] == {"count": 1, "folders": [["tasks", "tasks.media", "tasks.store"]]}
    assert figures["imports_in_functions"]["where"] == ["tasks.media.video -> tasks.chain"]
    assert figures["imports_for_types"]["where"] == ["tasks.store.blobs -> tasks.media.video"]


def test_imports_name_modules_and_where_they_stand(small_tree: list[Module]) -> None:
    known = frozenset(module.name for module in small_tree)
    (blobs,) = (module for module in small_tree if module.name == "tasks.store.blobs")
    assert list(imports_of(blobs, known)) == [("model.heads", "load"), ("tasks.media.video", "types")]


def test_two_packages_that_need_each_other_are_a_cycle() -> None:
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [["b", "c"]]
    assert cycles({"a": {"b", "c"}, "b": {"c"}}) == []


def test_names_texts_and_comments_of_a_small_tree(small_tree: list[Module]) -> None:
    figures = measure(small_tree)
    shared = {"count": 1, "where": {"Node": ["model.heads", "tasks.chain"]}}
    assert figures["class_names_with_two_meanings"] == shared
    assert figures["texts_that_do_not_stand_alone"]["where"] == [
        "tasks.media.video:10: Those are frames.",
        "tasks.store.blobs:11: The same as a file.",
        "tasks.store.blobs:15: Of the file.",
    ]
    assert figures["type_ignores"] == 1
    # one comment for readers in 31 lines of tasks: `noqa` and `type: ignore` are for tools
    assert figures["comments_per_100_lines"] == {"tasks": 3.23, "model": 0.0, "all": 3.03}
    assert figures["docstring_lines_per_100"] == {"tasks": 16.13, "model": 0.0, "all": 15.15}


@pytest.fixture(scope="module")
def figures() -> Mapping[str, Any]:
    return measure(read_modules(ROOT))


def test_no_cycle_between_folders(figures: Mapping[str, Any]) -> None:
    assert figures["folder_cycles"]["folders"] == []


def test_no_class_name_has_two_meanings(figures: Mapping[str, Any]) -> None:
    assert figures["class_names_with_two_meanings"]["where"] == {}


def test_modules_and_functions_are_short(figures: Mapping[str, Any]) -> None:
    assert figures["module_lines"]["longest"] <= 300, figures["module_lines"]["where"]
    assert figures["function_lines"]["longest"] <= 50, figures["function_lines"]["where"]


def test_texts_stand_alone(figures: Mapping[str, Any]) -> None:
    assert figures["texts_that_do_not_stand_alone"]["where"] == []


def test_the_benchmark_prints_one_object_and_loads_nothing_of_the_project() -> None:
    check = (
        "import sys; from benchmarks.structure import main; sys.argv = ['structure']; main(); "
        "print([name for name in sys.modules if name.split('.')[0] in ('tasks', 'model', 'torch')])"
    )
    ran = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, cwd=ROOT, check=True)
    printed, loaded = ran.stdout.splitlines()
    assert json.loads(printed)["benchmark"] == "structure"
    assert loaded == "[]"
