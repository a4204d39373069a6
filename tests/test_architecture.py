"""The house as tests: names, layers, deployments and documentation agree with the code."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from prefect import Flow

from flows.command_line import FLOWS

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("flows", "tasks", "model", "rendering")


@pytest.mark.parametrize("package", PACKAGES)
def test_package_comes_from_this_repository(package):
    assert Path(import_module(package).__file__).is_relative_to(ROOT)
    assert set(packages_distributions().get(package, [])) <= {"portrait-rgbd"}


OPTIONAL = ("rendering.rasterizers.nvdiffrast_backend", "rendering.rasterizers.pytorch3d_backend")
"""Each imports a package that only some machines have."""


def core_modules():
    files = sorted([*(ROOT / "model").rglob("*.py"), *(ROOT / "rendering").rglob("*.py")])
    return [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files]


def test_core_does_not_load_orchestrator_decoder_or_detector():
    wanted = [name for name in core_modules() if not name.endswith("__init__") and name not in OPTIONAL]
    lines = [f"import {name}" for name in wanted]
    check = "import sys; print([m for m in ('prefect', 'ffmpeg', 'mediapipe') if m in sys.modules])"
    ran = subprocess.run(
        [sys.executable, "-c", "\n".join([*lines, check])],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    assert ran.stdout.strip() == "[]"


def deployments():
    return yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]


@pytest.mark.parametrize("deployment", deployments(), ids=lambda deployment: deployment["name"])
def test_deployment_names_a_flow_and_its_parameters_validate(deployment):
    module, function = deployment["entrypoint"].rsplit(".", 1)
    flow = getattr(import_module(module), function)
    assert isinstance(flow, Flow)
    flow.validate_parameters(deployment.get("parameters", {}))


def test_every_flow_is_deployed():
    deployed = {deployment["entrypoint"].rsplit(".", 1)[1] for deployment in deployments()}
    assert deployed == {name.replace("-", "_") for name in FLOWS}


@pytest.mark.parametrize("name", FLOWS)
def test_flow_is_documented_with_its_settings(name):
    flow = getattr(import_module(f"flows.{name.replace('-', '_')}"), name.replace("-", "_"))
    assert flow.name == name
    assert flow.fn.__doc__


def markdown_commands():
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    pattern = re.compile(r"portrait-rgbd ([a-z-]+)(?: ([a-z]+))?")
    named = {(page.name, *words) for page in pages for words in pattern.findall(page.read_text())}
    # `evaluate depth` is evaluate-depth
    return {(page, two if (two := f"{one}-{next_}") in FLOWS else one) for page, one, next_ in named}


def test_commands_in_the_documentation_exist():
    assert markdown_commands()
    assert {name for _, name in markdown_commands()} <= set(FLOWS)


def test_make_targets_in_the_documentation_exist():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        named = set(re.findall(r"(?:^|`|\$ )make ([a-z]+)\b", page.read_text(), re.MULTILINE))
        assert named <= targets, page


def test_no_pickle_and_no_unsafe_load_in_the_code():
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            text = path.read_text()
            assert "allow_pickle=True" not in text, path
            assert "torch.load(" not in text, path
            assert not re.search(r"pickle\.loads?\(", text), path
