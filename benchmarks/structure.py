"""The shape of the source code in figures: lengths, folders, cycles, names and comments.

`python -m benchmarks.structure` prints one JSON object about the four packages. It reads source text only and
imports nothing of the project. Limits: no cycle between folders, no class name with two meanings, 300 lines a
module, 50 lines a function.
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import re
import statistics
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("flows", "tasks", "model", "rendering")

MARKER = re.compile(r"#\s*(noqa|type:|pragma|ruff:|mypy:)")
"""Comments for tools, not for readers."""
DANGLING = re.compile(r"(Of|Likewise|Their|Those|So many|Its|The same)\b")
"""First words of a text that only makes sense after the text before it."""

When = Literal["load", "call", "types"]
"""When an import statement runs: with its module, in a function, or only for type checkers."""
Graph = Mapping[str, set[str]]
"""Nodes that each node points to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One source file."""

    name: str
    """Dotted name."""
    folder: str
    """Package and sub package (`tasks.stages`), or the package alone for a module at its root."""
    text: str
    tree: ast.Module

    @property
    def lines(self) -> int:
        """Number of lines, blank ones included."""
        return self.text.count("\n")


class Import(NamedTuple):
    """One module of the tree that another one names in an import statement."""

    target: str
    when: When


def read_modules(root: Path, packages: Sequence[str] = PACKAGES) -> list[Module]:
    """All modules of some packages, sorted by path."""
    paths = [path for package in packages for path in sorted((root / package).rglob("*.py"))]
    return [read_module(root, path) for path in paths]


def read_module(root: Path, path: Path) -> Module:
    """Parse one file."""
    parts = path.relative_to(root).with_suffix("").parts
    text = path.read_text()
    return Module(
        name=".".join(parts).removesuffix(".__init__"),
        folder=".".join(parts[:-1][:2]),
        text=text,
        tree=ast.parse(text),
    )


def length_figures(lengths: Mapping[str, int]) -> dict[str, Any]:
    """Median, 90th percentile and maximum, and what is longest."""
    longest = max(lengths, key=lengths.__getitem__)
    values = sorted(lengths.values())
    p90 = statistics.quantiles(values, n=10, method="inclusive")[-1] if len(values) > 1 else values[0]
    return {
        "median": statistics.median(values),
        "p90": round(p90, 1),
        "longest": lengths[longest],
        "where": longest,
    }


def function_lengths(modules: Iterable[Module]) -> dict[str, int]:
    """Lines of each function and method, from `def` to its last line, by module, name and line."""
    return {
        f"{module.name}.{node.name}:{node.lineno}": (node.end_lineno or node.lineno) - node.lineno + 1
        for module in modules
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def files_per_folder(modules: Iterable[Module]) -> Counter[str]:
    """Number of modules in each folder; a bare `__init__.py` is not counted."""
    return Counter(module.folder for module in modules if module.name != module.folder)


def imports_of(module: Module, known: frozenset[str]) -> Iterator[Import]:
    """Modules of the tree that a module imports, wherever in it the statement stands."""
    yield from _imports(module.tree.body, known, "load")


def _imports(body: Iterable[ast.AST], known: frozenset[str], when: When) -> Iterator[Import]:
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from (Import(target, when) for target in _targets(node, known))
        elif isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            yield from _imports(node.body, known, "types")
            yield from _imports(node.orelse, known, when)
        else:
            inner: When = "call" if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else when
            yield from _imports(ast.iter_child_nodes(node), known, inner)


def _targets(node: ast.Import | ast.ImportFrom, known: frozenset[str]) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names} & known
    # `from tasks.store import blobs` imports a module, `from tasks.store.blobs import Store` a class of one
    inner = {f"{node.module}.{alias.name}" for alias in node.names} & known
    return inner if len(inner) == len(node.names) else inner | ({node.module or ""} & known)


def folder_graph(modules: Sequence[Module], when: Iterable[When] = ("load", "call", "types")) -> Graph:
    """Folders that each folder imports from."""
    folders = {module.name: module.folder for module in modules}
    counted = frozenset(when)
    graph: dict[str, set[str]] = defaultdict(set)
    for module in modules:
        targets = {one.target for one in imports_of(module, frozenset(folders)) if one.when in counted}
        graph[module.folder] |= {folders[target] for target in targets} - {module.folder}
    return graph


def package_graph(folders: Graph) -> Graph:
    """Packages that each package imports from."""
    graph: dict[str, set[str]] = defaultdict(set)
    for folder, targets in folders.items():
        package = folder.partition(".")[0]
        graph[package] |= {target.partition(".")[0] for target in targets} - {package}
    return graph


def cycles(graph: Graph) -> list[list[str]]:
    """Groups of nodes in which each one reaches all others."""
    reached = {node: _reached(graph, node) for node in graph}
    groups = {
        frozenset(other for other in reached[node] if node in reached.get(other, ()))
        for node in graph
        if node in reached[node]
    }
    return sorted(sorted(group) for group in groups)


def _reached(graph: Graph, start: str) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        new = graph.get(waiting.pop(), set()) - found
        found |= new
        waiting += new
    return found


def imports_between_folders(modules: Sequence[Module], when: When) -> list[str]:
    """Imports of one kind that leave their folder, as `importer -> imported`."""
    folders = {module.name: module.folder for module in modules}
    return sorted(
        {
            f"{module.name} -> {one.target}"
            for module in modules
            for one in imports_of(module, frozenset(folders))
            if one.when == when and folders[one.target] != module.folder
        }
    )


def shared_class_names(modules: Iterable[Module]) -> dict[str, list[str]]:
    """Class names that more than one module defines, with these modules."""
    defined: dict[str, set[str]] = defaultdict(set)
    for module in modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef):
                defined[node.name].add(module.name)
    return {name: sorted(places) for name, places in sorted(defined.items()) if len(places) > 1}


def comments(module: Module) -> list[str]:
    """All `#` comments, those for tools included."""
    tokens = tokenize.generate_tokens(io.StringIO(module.text).readline)
    return [token.string for token in tokens if token.type == tokenize.COMMENT]


def text_nodes(module: Module) -> list[ast.Expr]:
    """Docstrings of modules, classes and functions, and the strings that document a field or constant."""
    found = [
        node
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    ]
    return sorted(found, key=lambda node: node.lineno)


def dangling_texts(modules: Iterable[Module]) -> list[str]:
    """Places and first lines of the texts that do not stand alone."""
    texts = [
        (module.name, node.lineno, ast.literal_eval(node.value).strip())
        for module in modules
        for node in text_nodes(module)
    ]
    return [f"{name}:{line}: {text.splitlines()[0]}" for name, line, text in texts if DANGLING.match(text)]


def comments_per_100_lines(modules: Sequence[Module]) -> float:
    """Comments for readers in a hundred lines."""
    count = sum(not MARKER.match(text) for module in modules for text in comments(module))
    return _per_100(count, modules)


def docstring_lines_per_100(modules: Sequence[Module]) -> float:
    """Lines of docstrings in a hundred lines."""
    nodes = [node for module in modules for node in text_nodes(module)]
    return _per_100(sum((node.end_lineno or node.lineno) - node.lineno + 1 for node in nodes), modules)


def _per_100(count: int, modules: Sequence[Module]) -> float:
    return round(100 * count / (sum(module.lines for module in modules) or 1), 2)


def by_package(modules: Sequence[Module]) -> dict[str, list[Module]]:
    """The modules of each package, and those of all packages under `all`."""
    grouped: dict[str, list[Module]] = defaultdict(list)
    for module in modules:
        grouped[module.name.partition(".")[0]].append(module)
    return {**grouped, "all": list(modules)}


def measure(modules: Sequence[Module]) -> dict[str, Any]:
    """All figures."""
    folders = folder_graph(modules)
    found_cycles = cycles(folders) + cycles(package_graph(folders))
    ((largest, files),) = files_per_folder(modules).most_common(1)
    shared, dangling = shared_class_names(modules), dangling_texts(modules)
    for_types = imports_between_folders(modules, "types")
    in_functions = imports_between_folders(modules, "call")
    groups = by_package(modules)
    return {
        "benchmark": "structure",
        "modules": len(modules),
        "module_lines": length_figures({module.name: module.lines for module in modules}),
        "function_lines": length_figures(function_lengths(modules)),
        "largest_folder": {"folder": largest, "files": files},
        "folder_cycles": {"count": len(found_cycles), "folders": found_cycles},
        "imports_in_functions": {"count": len(in_functions), "where": in_functions},
        "imports_for_types": {"count": len(for_types), "where": for_types},
        "class_names_with_two_meanings": {"count": len(shared), "where": shared},
        "comments_per_100_lines": {name: comments_per_100_lines(group) for name, group in groups.items()},
        "docstring_lines_per_100": {name: docstring_lines_per_100(group) for name, group in groups.items()},
        "texts_that_do_not_stand_alone": {"count": len(dangling), "where": dangling},
        "type_ignores": sum("type: ignore" in text for module in modules for text in comments(module)),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=ROOT, help="root of the checkout to read")
    parser.add_argument("--packages", nargs="+", default=PACKAGES, help="folders to read")
    options = parser.parse_args()
    print(json.dumps(measure(read_modules(options.root, options.packages))))


if __name__ == "__main__":
    main()
