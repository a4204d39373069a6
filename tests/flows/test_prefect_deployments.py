"""prefect.yaml and prefect.toml against the flows: what the server would check, without one."""

from __future__ import annotations

import tomllib
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect import Flow
from prefect.cache_policies import NO_CACHE
from prefect.settings import Settings
from prefect.utilities.callables import parameter_schema
from prefect.utilities.schema_tools.validation import validate

from flows.command_line import FLOWS, find_flow
from flows.outcome import tell_outcome
from tasks.dataset.settings import BuildSettings
from tasks.engine.run_stage import run_stage

ROOT = Path(__file__).resolve().parents[2]
DEPLOYMENTS: list[dict[str, Any]] = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]

each_deployment = pytest.mark.parametrize(
    "deployment", DEPLOYMENTS, ids=lambda deployment: f"{deployment['entrypoint']}-{deployment['name']}"
)
each_flow = pytest.mark.parametrize("name", FLOWS)


def flow_of(deployment: dict[str, Any]) -> Flow[..., Any]:
    module, function = deployment["entrypoint"].rsplit(".", 1)
    flow: Flow[..., Any] = getattr(import_module(module), function)
    return flow


@each_deployment
def test_the_server_takes_the_parameters_and_would_refuse_wrong_ones(deployment: dict[str, Any]) -> None:
    assert deployment["enforce_parameter_schema"] is True
    schema = parameter_schema(flow_of(deployment)).model_dump_for_openapi()
    validate(deployment["parameters"], schema, raise_on_error=True)
    misspelt = {"settings": {**deployment["parameters"]["settings"], "stor": "x"}}
    assert validate(misspelt, schema, raise_on_error=False)


@each_deployment
def test_nothing_starts_by_itself_until_switched_on(deployment: dict[str, Any]) -> None:
    """Without `schedules` deploying asks for one; switching a schedule on loses its parameters."""
    for schedule in deployment["schedules"]:
        assert schedule["active"] is False
        assert "parameters" not in schedule


def test_build_dataset_has_the_named_runs() -> None:
    runs = {
        deployment["name"]: BuildSettings(**deployment["parameters"]["settings"])
        for deployment in DEPLOYMENTS
        if deployment["entrypoint"].endswith("build_dataset")
    }
    assert runs.keys() == {"small", "paper"}
    assert runs["small"].workers == 2
    assert runs["paper"].hdtf
    assert runs["paper"].vfhq
    assert runs["paper"].studio
    assert runs["paper"].stages == BuildSettings(store=Path("store"), name="paper").stages


def test_names_of_deployments_are_unique_within_a_flow() -> None:
    names = [(deployment["entrypoint"], deployment["name"]) for deployment in DEPLOYMENTS]
    assert len(names) == len(set(names))


@each_flow
def test_every_field_of_the_parameter_form_is_described(name: str) -> None:
    schema = parameter_schema(find_flow(name)).model_dump_for_openapi()
    definitions = schema["definitions"]
    silent = [
        (model, field)
        for model, definition in definitions.items()
        for field, about in definition.get("properties", {}).items()
        if "description" not in about
        and "description" not in definitions.get(about.get("$ref", "").rpartition("/")[2], {})
    ]
    assert silent == []


@each_flow
def test_the_ledger_and_not_prefect_remembers(name: str) -> None:
    assert find_flow(name).persist_result is False
    assert run_stage.persist_result is False
    assert run_stage.cache_policy == NO_CACHE


@each_flow
def test_a_run_has_a_readable_name_and_tells_its_outcome(name: str) -> None:
    flow = find_flow(name)
    assert str(flow.flow_run_name).startswith(f"{name} {{settings.")
    assert flow.on_completion_hooks == flow.on_failure_hooks == [tell_outcome]


def test_settings_of_the_server_are_ones_that_prefect_knows() -> None:
    known = tomllib.loads((ROOT / "prefect.toml").read_text())
    settings = Settings(**known).model_dump()
    for section, values in known.items():
        assert_same(values, settings[section])


def assert_same(given: dict[str, Any], read: dict[str, Any]) -> None:
    for name, value in given.items():
        if isinstance(value, dict):
            assert_same(value, read[name])
        else:
            assert (sorted(read[name]) if isinstance(value, list) else read[name]) == value


def test_the_releases_that_this_prefect_works_with_are_installed() -> None:
    """With others its server does not start, or its scheduler fails silently."""
    major, minor = map(int, version("fastapi").split(".")[:2])
    assert (0, 139) <= (major, minor) < (0, 151)
    assert version("sqlalchemy").startswith("2.0.")
    assert version("prefect").startswith("3.8.")
