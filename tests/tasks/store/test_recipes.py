from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import BaseModel

from tasks.store.fingerprints import _module_digest
from tasks.store.recipes import action_key, recipe_of
from tests.small_build import CUT, CutSettings

ROOT = Path(__file__).parents[3]


class Nested(BaseModel, frozen=True):
    inner: CutSettings = CutSettings()
    names: tuple[str, ...] = ("a", "b")


def test_everything_a_stage_depends_on_is_in_its_recipe() -> None:
    digest = recipe_of(CUT, CutSettings()).digest
    others = [
        recipe_of(replace(CUT, name="other"), CutSettings()),
        recipe_of(replace(CUT, version=2), CutSettings()),
        recipe_of(replace(CUT, modules=("tasks.reasons",)), CutSettings()),
        recipe_of(replace(CUT, modules=("tasks.stage", "tasks.reasons")), CutSettings()),
        recipe_of(replace(CUT, tools=("numpy", "scipy")), CutSettings()),
        recipe_of(CUT, CutSettings(scale=1.7)),
    ]
    assert len({digest, *(other.digest for other in others)}) == 7


def test_the_order_of_declarations_is_not() -> None:
    one = replace(CUT, modules=("tasks.stage", "tasks.reasons"), tools=("numpy", "scipy"))
    other = replace(CUT, modules=("tasks.reasons", "tasks.stage"), tools=("scipy", "numpy"))
    assert recipe_of(one, CutSettings()).digest == recipe_of(other, CutSettings()).digest


def test_settings_are_kept_as_json() -> None:
    assert recipe_of(CUT, Nested()).settings == {"inner": {"scale": 1.6}, "names": ["a", "b"]}


def test_the_source_text_of_a_module_is_in_the_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    stage = replace(CUT, modules=("core_of_a_stage",))
    module = tmp_path / "core_of_a_stage.py"

    def digest() -> str:
        # a new process would read it again
        _module_digest.cache_clear()
        return recipe_of(stage, CutSettings()).digest

    module.write_text("GAIN = 1\n")
    first = digest()
    os.utime(module, (0, 0))
    assert digest() == first
    module.write_text("GAIN = 1  # a comment\n")
    assert digest() != first


def test_keys_do_not_depend_on_the_machines_surroundings(tmp_path: Path) -> None:
    program = (
        "from tasks.reasons import Reason\n"
        "from tasks.stage import Stage\n"
        "from tasks.store.recipes import action_key, recipe_of\n"
        "from tasks.store.blobs import FORMAT\n"
        "from pydantic import BaseModel\n"
        "class Own(BaseModel): scale: float = 1.6; kinds: frozenset[Reason] = frozenset()\n"
        "stage = Stage(name='cut', version=1, run=print, settings_type=Own, modules=('tasks.stage',),\n"
        "              tools=('numpy', 'pydantic'))\n"
        "key = action_key(recipe_of(stage, Own()).digest, inputs={'b': '1', 'a': '2'}, given={'x': .1})\n"
        "print(key, {'a', 'b', 'c'})\n"
    )
    keys, orders = set(), set()
    for seed, zone, locale in [("1", "UTC", "C"), ("2", "Asia/Tokyo", "tr_TR.UTF-8"), ("7", "", "C.utf8")]:
        surroundings = {"PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": locale, "PYTHONPATH": str(ROOT)}
        environment = os.environ | surroundings
        environment["PYTHONPATH"] += os.pathsep + os.environ.get("PYTHONPATH", "")
        told = subprocess.run(
            [sys.executable, "-c", program],
            check=True,
            capture_output=True,
            text=True,
            env=environment,
            cwd=tmp_path,
        ).stdout
        key, order = told.split(maxsplit=1)
        keys.add(key)
        orders.add(order)
    assert len(keys) == 1
    assert len(orders) > 1


def test_the_key_is_the_digest_of_its_canonical_text() -> None:
    zeros, ones = "0" * 64, "1" * 64
    text = f'{{"given":{{"focal_px":1100.5}},"inputs":{{"a":"x","video":"{ones}"}},"recipe":"{zeros}"}}'
    key = action_key(zeros, inputs={"video": ones, "a": "x"}, given={"focal_px": 1100.5})
    assert key == hashlib.sha256(text.encode()).hexdigest()
