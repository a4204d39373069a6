"""Run one flow here and now: `portrait-rgbd build-dataset --clips FOLDER --store S --name real`."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import Any, get_type_hints

from pydantic import BaseModel
from pydantic_settings import CliApp, CliSettingsSource

FLOWS = (
    "demo",
    "build-face-model",
    "build-dataset",
    "verify-dataset",
    "diff-datasets",
    "show-clip",
    "collect-garbage",
)
"""Command names; module flows.<name with underscores> holds the flow of that name."""

USAGE = "usage: portrait-rgbd {" + ",".join(FLOWS) + "} [--help | settings]"


def main() -> None:
    """Read `<flow> <its settings as flags>` and run that flow; the last line printed is its result."""
    name, *flags = sys.argv[1:] or ["--help"]
    if name in ("--help", "-h"):
        print(USAGE)
        return
    if name not in FLOWS:
        sys.exit(f"{name!r} is no flow\n{USAGE}")
    result = run_flow(name, flags)
    print(json.dumps(result.model_dump(mode="json")))
    sys.exit(result.exit_code)
