from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(("scenario", "least"), [("build", 90), ("rebuild", 40), ("collect", 40)])
def test_killed_at_any_step_and_run_again_it_is_as_if_undisturbed(
    tmp_path: Path, scenario: str, least: int
) -> None:
    swept = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "crash_sweep.py"), scenario, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
    )
    assert swept.returncode == 0, swept.stderr
    told = json.loads(swept.stdout)
    assert told["wrong"] == [], swept.stderr
    assert told["status"] == 0
    assert told["points"] >= least
