"""Run one flow here and now: `portrait-rgbd build-dataset --clips FOLDER --store S --name real`.

The settings of the flow are the flags; its result is the last line on standard output, as JSON.
"""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module
from signal import SIGINT
from typing import Any, TypeVar, get_type_hints

from prefect import Flow
from pydantic import BaseModel, ValidationError
from pydantic_settings import BaseSettings, CliApp, PydanticBaseSettingsSource, SettingsConfigDict

from flows.outcome import Outcome
from tasks.engine.schedule import call_flow
from tasks.store.durable import StoreError

S = TypeVar("S", bound=BaseModel)

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


class FlagsOnly(BaseSettings):
    """Base that reads settings from flags only, not from environment variables such as `seed`."""

    # the values that pydantic-settings itself takes for a model that is no BaseSettings
    model_config = SettingsConfigDict(
        nested_model_default_partial_update=True,
        case_sensitive=True,
        cli_hide_none_type=True,
        cli_avoid_json=True,
        cli_enforce_required=True,
        cli_implicit_flags=True,
        cli_kebab_case=True,
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Leave out the environment, .env files and secrets; pydantic-settings adds the flags itself."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)


def read_flags(settings_type: type[S], flags: list[str]) -> S:
    """Read settings from flags; `--help` prints them and ends the process.

    Raises:
        ValidationError: a value is refused.
    """
    reader = type(settings_type.__name__, (FlagsOnly, settings_type), {"__doc__": settings_type.__doc__})
    read: Any = CliApp.run(reader, cli_args=flags)
    return settings_type.model_construct(**{name: getattr(read, name) for name in settings_type.model_fields})


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
        outcome = call_flow(flow, read_flags(settings_type, flags))
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
