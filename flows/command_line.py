"""Run one flow here and now: `portrait-rgbd build-dataset --clips FOLDER --store S --name real`.

The settings of the flow are the flags; its result is the last line on standard output, as JSON.
"""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module
from signal import SIGINT
from typing import Any, get_type_hints

from prefect import Flow
from pydantic import BaseModel, ValidationError
from pydantic_settings import CliApp

from flows.outcome import Outcome
from tasks.engine.schedule import call_flow
from tasks.store.durable import StoreError

FLOWS = (
    "demo",
    "make-embedded-data",
    "build-face-model",
    "build-dataset",
    "verify-dataset",
    "diff-datasets",
    "show-clip",
    "collect-garbage",
    "train",
    "evaluate-depth",
    "evaluate-samples",
    "retrain",
    "plan-memory",
)
"""Command names; the module flows.<name with underscores> holds the flow of that name."""

USAGE = "usage: portrait-rgbd {" + ",".join(FLOWS) + "} [--help | settings]"


def find_flow(name: str) -> Flow[[BaseModel], Outcome]:
    """Return the flow that a command runs."""
    function = name.replace("-", "_")
    flow: Flow[[BaseModel], Outcome] = getattr(import_module(f"flows.{function}"), function)
    return flow


def main() -> None:
    """Read `<flow> <its settings as flags>` from the command line and run that flow."""
    name, *flags = sys.argv[1:] or ["--help"]
    if flags and f"{name}-{flags[0]}" in FLOWS:
        name, *flags = f"{name}-{flags[0]}", *flags[1:]  # `evaluate depth` is evaluate-depth
    if name in ("--help", "-h"):
        sys.exit(print(USAGE))  # noqa: T201  # the command line's own output
    if name not in FLOWS:
        sys.exit(f"{name!r} is no command\n{USAGE}")
    flow = find_flow(name)
    gc.freeze()  # what was loaded stays: neither the next look for garbage nor the last one goes through it
    gc.enable()  # flows/__main__.py
    settings_type: type[BaseModel] = get_type_hints(flow.fn)["settings"]
    sys.argv[0] = f"portrait-rgbd {name}"
    try:
        outcome = call_flow(flow, CliApp.run(settings_type, cli_args=flags))
    except ValidationError as invalid:
        sys.exit("\n".join(_complaint(error) for error in invalid.errors()))
    except (OSError, ValueError, LookupError, StoreError) as fault:
        sys.exit(f"{name}: {fault}")
    except KeyboardInterrupt:
        print(f"{name}: interrupted; run it again to continue", file=sys.stderr)  # noqa: T201
        sys.exit(128 + SIGINT)
    if os.environ.get("RANK", "0") == "0":  # of several processes the first one speaks
        print(outcome.model_dump_json())  # noqa: T201
    sys.exit(outcome.exit_code)


def _complaint(error: Any) -> str:
    flag = "--" + ".".join(str(part).replace("_", "-") for part in error["loc"])
    return f"{flag}: {error['msg']} (given {error['input']!r})"
