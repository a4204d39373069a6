"""The table of estimators: what each is called, and that the documentation lists it."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from model.metrics.depth_estimators import DepthSampling, EstimatorInput, MeanDepth, PipelineDepth, VaeBound
from model.samples.pictures import Pictures
from tasks.evaluation import estimators
from tasks.evaluation.estimators import ESTIMATORS
from tests.model.tiny_pipelines import SIDE_PX, image_pipeline, rgb
from tests.tasks.evaluation.synthetic_frames import row_of

PAGE = Path(__file__).resolve().parents[3] / "docs" / "evaluation.md"
SAMPLING = DepthSampling(steps=1, samples=2, seeds=3)


def test_the_order_is_that_of_the_results_and_the_page_lists_them() -> None:
    names = [kind.name for kind in ESTIMATORS]
    assert names == ["model", "mean_map", "vae_bound", "fit_3dmm"]
    assert re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), re.MULTILINE) == names
    assert all(kind.label for kind in ESTIMATORS)


def test_applications_may_use_those_that_read_rgb_alone() -> None:
    assert [kind.name for kind in ESTIMATORS if kind.reads == "rgb"] == ["model", "mean_map"]
    assert [kind.name for kind in ESTIMATORS if kind.is_random] == ["model"]


@pytest.fixture
def evaluation(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    train = Pictures(
        rgb=torch.zeros(2, 3, SIDE_PX, SIDE_PX),
        code=torch.full((2, SIDE_PX, SIDE_PX), 0.25),
        mask=torch.ones(2, SIDE_PX, SIDE_PX, dtype=torch.bool),
    )
    return SimpleNamespace(
        model=SimpleNamespace(pipeline=image_pipeline()),
        version=SimpleNamespace(rows=[row_of("a", split="train"), row_of("b")]),
        split="test",
        clips=SimpleNamespace(batches=lambda row: [train] if row.split == "train" else []),
        frames=SimpleNamespace(of_kind=lambda _kind: torch.tensor([False])),
    )


def test_each_is_opened_for_an_evaluation(evaluation: SimpleNamespace) -> None:
    opened = [open_estimator(evaluation, SAMPLING, 2) for open_estimator in ESTIMATORS.values()]
    model, mean_map, bound, still_fit = opened
    assert isinstance(model, PipelineDepth)
    assert (model.steps, model.samples, model.seed) == (1, 2, 2)
    assert isinstance(mean_map, MeanDepth)
    assert (mean_map.code == 0.25).all()
    assert isinstance(bound, VaeBound)
    assert still_fit is None
    frames = EstimatorInput(rgb=rgb(2), true_code=torch.zeros(2, SIDE_PX, SIDE_PX))
    for estimator in (model, mean_map, bound):
        found = estimator.estimate(frames)
        assert found.code.shape == found.mask.shape == (2, SIDE_PX, SIDE_PX)
        assert found.mask.all()
        assert found.reasons == (None, None)


def test_the_mean_map_reads_the_train_split(evaluation: SimpleNamespace) -> None:
    rows = estimators.mean_map_clips(evaluation.version.rows, "test")
    assert [row.split for row in rows] == ["train"]
