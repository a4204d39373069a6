"""What an evaluation leaves in its folder: JSON with figures, CSV with every sample, pictures, and one page.

depth.json, depth.csv    evaluate-depth
samples.json             evaluate-samples
pictures/                strips of tiles that the two name
report.html              of whichever of the two there is
"""

from __future__ import annotations

from pathlib import Path

from model.settings import Record
from tasks.evaluation.score_depth import MeanScore
from tasks.evaluation.score_samples import SampleScores
from tasks.training.run_folder import PipelineOrigin

DEPTH, SAMPLES = "depth.json", "samples.json"


class PictureRow(Record):
    """One picture of the page."""

    label: str
    file: str
    """Below the folder."""
    note: str = ""
    """What its colours mean."""


class Evaluated(Record):
    """What was evaluated on what."""

    dataset: str
    number: int
    root: str
    """Of the version."""
    split: str
    origin: PipelineOrigin
    """Of the model."""
    side_px: int
    """Pictures are compared at this size."""
    notices: tuple[str, ...]
    """What is untrained or synthetic in the model or the version, in sentences."""
    strips: tuple[PictureRow, ...]


class DepthEvaluation(Evaluated):
    """depth.json."""

    frames: int
    skinless: int
    """Further frames that were looked at and not judged: they show no skin."""
    left_out: dict[str, dict[str, int]]
    """Estimator -> reason -> frames that are in none of its means."""
    subjects: int
    steps: int
    """Denoising steps of a sample."""
    samples: int
    """Their mean is an estimate."""
    seeds: int
    """Estimates of every frame."""
    protocols: dict[str, str]
    """Name -> what its numbers mean."""
    scores: dict[str, dict[str, dict[str, MeanScore]]]
    """Protocol -> estimator -> "all", "studio", "wild"."""


class SampleEvaluation(Evaluated):
    """samples.json."""

    steps: int
    seeds: int
    scores: SampleScores
    talking: str | None
    """The talking clip, an animation below the folder; None without a motion stage or a clip with sound."""


def write_result(folder: Path, name: str, data: bytes) -> Path:
    """Write a file of the folder whole or not at all."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".unfinished-{path.name}")
    unfinished.write_bytes(data)
    return unfinished.replace(path)
