"""Links, commands, flags and paths in the pages exist."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path
from typing import get_type_hints

import pytest
from pydantic_settings import CliApp

from flows.command_line import FLOWS, find_flow

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z0-9.-]*")

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def code(page: Path) -> list[str]:
    """Lines of the code blocks of a page and its code within sentences."""
    text = page.read_text().replace("\\\n", " ")
    fenced = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    text = re.sub(r"^```\w*\n.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    indented = re.findall(r"^ {4}(.*)", text, re.MULTILINE)
    inline = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", text)]
    return [*(line for block in fenced for line in block.splitlines()), *indented, *inline]


def project_commands(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Command and flags wherever a page calls `portrait-rgbd`."""
    for line in code(page):
        for words in re.findall(r"\bportrait-rgbd ([a-z-]+(?: [a-z]+)?)(?=[ \n]|$)(?=(.*))", line):
            name, rest = words
            joined = name.replace(" ", "-")  # `evaluate depth` is evaluate-depth
            yield joined if joined in FLOWS else name.split()[0], FLAG.findall(rest)


@cache
def flags_of(command: str) -> frozenset[str]:
    """Flags in the help of a command."""
    settings_type = get_type_hints(find_flow(command).fn)["settings"]
    printed = io.StringIO()
    with redirect_stdout(printed), pytest.raises(SystemExit):
        CliApp.run(settings_type, cli_args=["--help"])
    return frozenset(FLAG.findall(printed.getvalue())) | {"--help"}


@every_page
def test_relative_links_resolve(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text())
    relative = [link.partition("#")[0] for link in links if not re.match(r"[a-z]+:", link)]
    assert [link for link in relative if not (page.parent / link).exists()] == []


FILE_ENDINGS = (".safetensors", ".npz", ".json")
"""Endings of files that begin like one of our packages, for example model.safetensors."""


@every_page
def test_commands_and_their_flags_exist(page: Path) -> None:
    for command, flags in project_commands(page):
        assert command in FLOWS
        assert set(flags) <= flags_of(command), command


@every_page
def test_flags_on_their_own_belong_to_a_command(page: Path) -> None:
    lines = code(page)
    foreign = {flag for line in lines if not line.startswith("--") for flag in FLAG.findall(line)}
    own = frozenset[str]().union(*map(flags_of, FLOWS), *map(benchmark_flags, benchmarks()))
    alone = {flag for line in lines if line.startswith("--") for flag in FLAG.findall(line)}
    assert alone - own - foreign == set()


def benchmarks() -> list[Path]:
    return sorted((ROOT / "benchmarks").glob("*.py"))


def benchmark_flags(path: Path) -> frozenset[str]:
    """Flags that a benchmark's parser is given."""
    return frozenset(re.findall(r'"(--[a-z-]+)"', path.read_text()))


@every_page
def test_benchmarks_and_their_flags_exist(page: Path) -> None:
    for line in code(page):
        for name, rest in re.findall(r"python -m benchmarks\.(\w+)(.*)", line):
            path = ROOT / "benchmarks" / f"{name}.py"
            assert path.is_file(), line
            assert set(FLAG.findall(rest)) <= benchmark_flags(path), line


@every_page
def test_files_named_in_code_exist(page: Path) -> None:
    pattern = re.compile(r"\b(?:flows|tasks|model|rendering|tests|docs|benchmarks)/[\w/.-]+\.(?:py|md)\b")
    named = {path for line in code(page) for path in pattern.findall(line)}
    assert {path for path in named if not (ROOT / path).is_file()} == set()


@every_page
def test_modules_named_in_code_exist(page: Path) -> None:
    pattern = re.compile(r"(?:flows|tasks|model|rendering)(?:\.\w+)+")
    named = {line for line in code(page) if pattern.fullmatch(line) and not line.endswith(FILE_ENDINGS)}
    assert {name for name in named if not defined(name)} == set()


def defined(dotted: str) -> bool:
    """Whether a dotted name is a package, a module or a name that a module's text contains."""
    path = ROOT.joinpath(*dotted.split("."))
    if path.is_dir() or path.with_suffix(".py").is_file():
        return True
    module = path.parent.with_suffix(".py")
    return module.is_file() and bool(re.search(rf"\b{path.name}\b", module.read_text()))


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    records = {path.name for path in folder.glob("0*.md")}
    assert set(re.findall(r"\]\((0[\w-]+\.md)\)", (folder / "README.md").read_text())) == records


def test_the_checks_find_what_they_look_for() -> None:
    readme = ROOT / "README.md"
    assert ("build-dataset", ["--clips", "--store", "--name"]) in [
        (name, [flag for flag in flags if flag in ("--clips", "--store", "--name")])
        for name, flags in project_commands(readme)
    ]
    assert "--stages.probe.min-frames" in flags_of("build-dataset")
    assert "--cilps" not in flags_of("build-dataset")
