"""Evaluation by the command: figures that must hold by construction, and a page that shows them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from flows.evaluate_depth import EvaluatedDepth, EvaluateDepthSettings, evaluate_depth
from flows.evaluate_samples import EvaluateSamplesSettings, evaluate_samples
from tasks.evaluation.fit_3dmm import NO_FACE, WILD
from tests.conftest import RunCommand, Trained
from tests.small_training import NAME


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("eval")


@pytest.fixture(scope="module")
def depth(trained: Trained, out: Path) -> EvaluatedDepth:
    settings = EvaluateDepthSettings(
        store=trained.store.root,
        name=NAME,
        model=trained.out / "pipeline",
        out=out,
        frames_per_clip=2,
        steps=1,
        samples=1,
        seeds=2,
        workers=1,
    )
    return evaluate_depth.fn(settings)


@pytest.mark.usefixtures("depth")
def test_every_frame_is_scored_by_every_estimator_in_both_protocols(out: Path) -> None:
    lines = list(csv.DictReader((out / "depth.csv").open()))
    # 4 stills and 2 frames of the talking clip; the model twice, the mean map and the VAE's bound once
    scored = [line for line in lines if not line["reason"]]
    assert len(scored) == 6 * 4 * 2
    assert {line["protocol"] for line in lines} == {"metric", "paper"}
    assert {line["estimator"] for line in scored} == {"model", "mean_map", "vae_bound"}


@pytest.mark.usefixtures("depth")
def test_what_has_no_score_has_a_reason_and_is_counted(out: Path) -> None:
    """No face is found in toy stills, and the published depth of a wild clip is itself a fit."""
    told = json.loads((out / "depth.json").read_text())
    lines = [line for line in csv.DictReader((out / "depth.csv").open()) if line["reason"]]
    assert [line["estimator"] for line in lines] == ["fit_3dmm"] * 6 * 2
    assert not any(line["rmse"] for line in lines)
    assert told["left_out"] == {"fit_3dmm": {NO_FACE: 4, WILD: 2}}
    assert {line["reason"] for line in lines} == {NO_FACE, WILD}
    page = (out / "report.html").read_text()
    assert "4 of 6 frames of “3DMM fitted to the still" in page
    assert NO_FACE in page


def test_figures_hold_by_construction(depth: EvaluatedDepth, out: Path) -> None:
    told = json.loads((out / "depth.json").read_text())
    for protocol in ("metric", "paper"):
        assert told["scores"][protocol]["mean_map"]["all"]["rmse_over_mean_map"] == 1
        model = told["scores"][protocol]["model"]
        assert model["all"]["frames"] == model["studio"]["frames"] + model["wild"]["frames"] == 6
        assert len(model["all"]["rmse_over_mean_map_by_seed"]) == 2
    assert told["protocols"]["metric"].startswith("metric (aligned in depth by scale and shift")
    assert depth.rmse_mm == told["scores"]["metric"]["model"]["all"]["rmse"]
    lines = [
        float(line["rmse"])
        for line in csv.DictReader((out / "depth.csv").open())
        if (line["estimator"], line["protocol"]) == ("model", "metric")
    ]
    assert depth.rmse_mm == pytest.approx(sum(lines) / len(lines))


def test_same_model_same_figures(trained: Trained, depth: EvaluatedDepth, tmp_path: Path) -> None:
    settings = EvaluateDepthSettings(
        store=trained.store.root,
        name=NAME,
        model=trained.out / "pipeline",
        out=tmp_path,
        frames_per_clip=2,
        steps=1,
        samples=1,
        seeds=2,
        workers=1,
    )
    assert evaluate_depth.fn(settings).rmse_mm == depth.rmse_mm


def test_a_folder_without_a_pipeline_is_refused(
    trained: Trained, run_command: RunCommand, tmp_path: Path
) -> None:
    joint = tmp_path / "joint"
    joint.mkdir()
    done = run_command(
        "evaluate",
        "depth",
        "--store",
        trained.store.root,
        "--name",
        NAME,
        "--model",
        joint,
        "--out",
        tmp_path / "e",
    )
    assert done.returncode == 1
    assert "has no model_index.json; give the folder pipeline/ of a training" in done.stderr


@pytest.mark.usefixtures("depth")
def test_samples_join_the_page_and_a_portrait_talks(trained: Trained, out: Path) -> None:
    outcome = evaluate_samples.fn(
        EvaluateSamplesSettings(
            store=trained.store.root,
            name=NAME,
            model=trained.out / "pipeline",
            out=out,
            steps=1,
            seeds=2,
            workers=1,
        )
    )
    assert outcome.scores.identities == 3
    assert outcome.scores.identity_with_reference.chance == pytest.approx(1 / 3)
    assert len(outcome.scores.agreement.rate_by_seed) == 2
    page = outcome.report.read_text()
    assert 'id="depth"' in page
    assert 'id="talking"' in page
    assert page.count("data:image/webp") == 1
    assert "toys &lt;b&gt; were never filmed" in page
    assert "<script" not in page
    assert "://" not in page, "a page that would fetch something"
