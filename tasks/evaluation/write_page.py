"""report.html of an evaluation: scores, pictures and a talking clip, self-contained and without scripts."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from tasks.evaluation.results import DEPTH, SAMPLES, DepthEvaluation, SampleEvaluation, write_result
from tasks.report.report import page_environment

E = TypeVar("E", bound=BaseModel)


def write_page(folder: Path) -> Path:
    """Write the page of the results in a folder.

    Raises:
        FileNotFoundError: the folder has no results that this version of the program can read.
    """
    depth, samples = _read(folder / DEPTH, DepthEvaluation), _read(folder / SAMPLES, SampleEvaluation)
    facts = depth or samples
    if facts is None:
        raise FileNotFoundError(
            f"{folder} has neither a {DEPTH} nor a {SAMPLES} that can be read; evaluate first"
        )
    # The folder may hold older results of another model or version: the page says so.
    both = [one for one in (depth, samples) if one is not None]
    page = page_environment().get_template("evaluation.html.j2")
    text = page.render(
        facts=facts,
        mixed=len({(one.root, one.origin) for one in both}) > 1,
        unreadable=[
            name
            for name, one in ((DEPTH, depth), (SAMPLES, samples))
            if one is None and (folder / name).is_file()
        ],
        depth=depth,
        samples=samples,
        estimators={} if depth is None else depth.labels,
        embed=lambda file: _data_uri(folder / file),
    )
    return write_result(folder, "report.html", text.encode())


def _read(path: Path, kind: type[E]) -> E | None:
    """Read a result; None if it is absent, or if another version of the program wrote it."""
    try:
        return kind.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def _data_uri(path: Path) -> str:
    kind = path.suffix.removeprefix(".")
    return f"data:image/{kind};base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"
