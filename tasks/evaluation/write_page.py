"""report.html of an evaluation: figures, pictures and a talking clip; self-contained and without script."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from tasks.evaluation.results import DEPTH, SAMPLES, DepthEvaluation, SampleEvaluation, write_result
from tasks.report.report import page_environment

E = TypeVar("E", bound=BaseModel)
ESTIMATORS = {
    "model": "the model, image to depth",
    "mean_map": "constant mean depth map of the train split",
    "vae_bound": "true depth through the VAE: no denoiser can do better",
    "fit_3dmm": "3DMM fitted to the still alone, on what it covers (studio)",
}
"""Estimator -> what it is."""


def write_page(folder: Path) -> Path:
    """Write the page of what is in the folder.

    Raises:
        FileNotFoundError: no figures are that this version of the program can read.
    """
    depth, samples = _read(folder / DEPTH, DepthEvaluation), _read(folder / SAMPLES, SampleEvaluation)
    facts = depth or samples
    if facts is None:
        raise FileNotFoundError(f"{folder} has neither a {DEPTH} nor a {SAMPLES} of ours; evaluate first")
    # samples of another model or version left in the folder are not this page's
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
        estimators=ESTIMATORS,
        embed=lambda file: _data_uri(folder / file),
    )
    return write_result(folder, "report.html", text.encode())


def _read(path: Path, kind: type[E]) -> E | None:
    """None also where another version of the program wrote it: the page says so, and shows the rest."""
    try:
        return kind.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def _data_uri(path: Path) -> str:
    kind = path.suffix.removeprefix(".")
    return f"data:image/{kind};base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"
