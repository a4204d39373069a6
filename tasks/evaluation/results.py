"""Files that an evaluation writes: scores as JSON and CSV, pictures, and one page.

depth.json, depth.csv    written by evaluate-depth
samples.json             written by evaluate-samples
pictures/                strips of tiles that the JSON files name
report.html              page of the JSON files that are in the folder
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from model.settings import Record
from tasks.evaluation.score_depth import MeanScore
from tasks.evaluation.score_samples import SampleScores
from tasks.training.run_folder import PipelineOrigin

DEPTH, SAMPLES = "depth.json", "samples.json"


class PictureRow(Record):
    """One picture of the page: a strip of tiles."""

    label: str
    file: str
    """Path below the folder of the evaluation."""
    note: str = ""
    """Meaning of the colours."""


class Evaluated(Record):
    """The model, the dataset version and the split of an evaluation."""

    dataset: str
    """Name of the dataset."""
    number: int
    """Number of the dataset version."""
    root: str
    """Merkle root of the dataset version."""
    split: str
    origin: PipelineOrigin
    """Training of the model."""
    side_px: int
    """Height and width at which pictures are compared."""
    notices: tuple[str, ...]
    """What is untrained or synthetic in the model or the version, in sentences."""
    strips: tuple[PictureRow, ...]
    """Pictures of the page, in order."""


class DepthEvaluation(Evaluated):
    """Contents of depth.json."""

    frames: int
    """Number of frames that were estimated."""
    skinless: int
    """Number of further frames that were read and left out, because they show no skin."""
    left_out: dict[str, dict[str, int]]
    """Estimator -> reason -> number of frames that are left out of the estimator's means."""
    subjects: int
    """Number of persons in the frames."""
    steps: int
    """Number of denoising steps of a sample."""
    samples: int
    """Number of samples whose mean is an estimate."""
    seeds: int
    """Number of estimates of every frame."""
    labels: dict[str, str] = Field(default={})
    """Estimator -> what it is, for the page."""
    protocols: dict[str, str]
    """Protocol -> spaces and cut that its figures belong to."""
    scores: dict[str, dict[str, dict[str, MeanScore]]]
    """Protocol -> estimator -> "all", "studio" or "wild" -> means."""


class SampleEvaluation(Evaluated):
    """Contents of samples.json."""

    steps: int
    """Number of denoising steps of a sample."""
    seeds: int
    """Number of samples of each person."""
    scores: SampleScores
    talking: str | None
    """Path of the talking clip below the folder; None without a motion stage or a clip with sound."""


def write_result(folder: Path, name: str, data: bytes) -> Path:
    """Write a file of the folder so that it is whole or unchanged whenever the program is killed."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".unfinished-{path.name}")
    unfinished.write_bytes(data)
    return unfinished.replace(path)
