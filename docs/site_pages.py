"""MkDocs hook: pages of the site that are not written in docs/.

README, CONTRIBUTING and CHANGELOG become pages, each folder of the four packages gets a page of its public
interface, and the navigation lists these and the decisions. Adding a module or a decision needs no edit here.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("flows", "tasks", "model", "rendering")
ROOT_PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
"""Files at the root of the repository and the pages they become."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Append the decisions and the reference to the navigation."""
    decisions = [f"decisions/{path.name}" for path in sorted((ROOT / "docs" / "decisions").glob("*.md"))]
    decisions.sort(key=lambda name: not name.endswith("README.md"))
    reference = [{folder: f"reference/{folder}.md"} for folder in folders()]
    assert config.nav is not None
    config.nav += [{"Reference": reference}, {"Decisions": decisions}]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    for name, page in ROOT_PAGES.items():
        files.append(File.generated(config, page, content=site_links((ROOT / name).read_text())))
    for folder, modules in folders().items():
        files.append(
            File.generated(config, f"reference/{folder}.md", content=reference_page(folder, modules))
        )
    return files


def site_links(text: str) -> str:
    """A page of the repository's root with links as they are from docs/."""
    text = re.sub(r"\]\(docs/", "](", text)
    for name, page in ROOT_PAGES.items():
        text = text.replace(f"]({name}", f"]({page}")
    return text


def folders() -> dict[str, list[str]]:
    """Modules of each folder: packages, each followed by its sub packages."""
    found: dict[str, list[str]] = defaultdict(list)
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if not path.name.startswith("__"):
                found[".".join(parts[:-1][:2])].append(".".join(parts))
    return {folder: found[folder] for folder in sorted(found, key=_place)}


def _place(folder: str) -> tuple[int, str]:
    return PACKAGES.index(folder.partition(".")[0]), folder


def reference_page(folder: str, modules: list[str]) -> str:
    """Markdown that mkdocstrings fills from the docstrings."""
    return "\n\n".join([f"# {folder}", *(f"::: {module}" for module in modules)])
