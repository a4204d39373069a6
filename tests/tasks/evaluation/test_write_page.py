"""The page of an evaluation: what it says of figures that are missing, and files that do not belong to it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from tasks.evaluation.results import DEPTH, SAMPLES, DepthEvaluation, SampleEvaluation, write_result
from tasks.evaluation.score_depth import MeanScore
from tasks.evaluation.score_samples import MatchRate, SampleScores
from tasks.evaluation.write_page import write_page
from tasks.training.run_folder import PipelineOrigin

FACTS = {
    "dataset": "faces",
    "number": 1,
    "root": "a" * 64,
    "split": "test",
    "origin": PipelineOrigin(notices=()),
    "side_px": 16,
    "notices": ("Made of <b>toys</b>.",),
    "strips": (),
    "steps": 2,
    "seeds": 2,
}
GOOD = MatchRate(
    rate=0.75,
    rate_by_seed=(0.5, 1.0),
    chance=0.5,
    error_ratio=0.25,
    error_ratio_by_seed=(0.25, 0.25),
    faceless_by_seed=(0, 0),
)
WEAK = MatchRate(
    rate=0.0,
    rate_by_seed=(0.0, 0.0),
    chance=0.5,
    error_ratio=None,
    error_ratio_by_seed=(None, None),
    faceless_by_seed=(1, 2),
)


def samples(**facts) -> SampleEvaluation:
    scores = SampleScores(
        identities=2, identity_with_reference=GOOD, identity_without_reference=GOOD, agreement=WEAK
    )
    return SampleEvaluation(**{**FACTS, "scores": scores, "talking": None, **facts})


def depth(**facts) -> DepthEvaluation:
    score = MeanScore(
        frames=7,
        abs_rel=0.01,
        delta1=1.0,
        rmse=12.0,
        abs_rel_over_mean_map=0.5,
        rmse_over_mean_map=0.6,
        rmse_over_mean_map_by_seed=(0.59, 0.61),
        abs_rel_over_mean_map_by_seed=(0.5, 0.5),
    )
    of_depth = {
        "frames": 8,
        "skinless": 0,
        "left_out": {},
        "subjects": 2,
        "samples": 1,
        "labels": {"model": "the model, image to depth", "fit_3dmm": "3DMM fitted to the still"},
        "protocols": {"metric": "metric (in mm)"},
        "scores": {"metric": {"model": {"all": score}}},
    }
    return DepthEvaluation(**{**FACTS, **of_depth, **facts})


def written(folder: Path, name: str, result: BaseModel) -> None:
    write_result(folder, name, result.model_dump_json().encode())


def cells(page: str, label: str) -> list[str]:
    """Cells of the table row that begins with the label."""
    row = re.search(rf'<td class="name">{re.escape(label)}.*?</tr>', page)
    assert row is not None
    return re.findall(r"<td[^>]*>(.*?)</td>", row.group())


def test_samples_without_a_face_are_told_and_a_missing_ratio_is_a_dash(tmp_path: Path) -> None:
    written(tmp_path, SAMPLES, samples())
    page = write_page(tmp_path).read_text()
    assert cells(page, "The same without")[1:] == ["75.0 %", "0.500 – 1.000", "50.0 %", "0.250", "0 of 4"]
    assert cells(page, "Is the sampled depth")[1:] == ["0.0 %", "0.000 – 0.000", "50.0 %", "–", "3 of 4"]
    assert "counts as a wrong match" in page
    assert "Made of &lt;b&gt;toys" in page


def test_frames_that_are_in_no_mean_are_counted_with_their_reasons(tmp_path: Path) -> None:
    written(tmp_path, DEPTH, depth())
    page = write_page(tmp_path).read_text()
    assert cells(page, "the model, image to depth")[1:4] == ["all", "7", "0.0100"]
    assert "Left out of the means" not in page
    assert "show no skin" not in page
    left_out = {"model": {"it is flat": 1, "it is <small>": 2}, "fit_3dmm": {"not seen": 3}}
    written(tmp_path, DEPTH, depth(skinless=5, left_out=left_out))
    page = write_page(tmp_path).read_text()
    assert "5 further frames show no skin and are left out." in page
    told = re.search(r"Left out of the means.*?</p>", page)
    assert told is not None
    assert "1 of 8 frames of “the model, image to depth” (it is flat), 2 of 8" in told.group()
    assert "(it is &lt;small&gt;); 3 of 8 frames of “3DMM" in told.group()
    assert told.group().endswith("(not seen).</p>")


def test_two_models_on_one_page_are_told(tmp_path: Path) -> None:
    written(tmp_path, DEPTH, depth())
    written(tmp_path, SAMPLES, samples())
    assert "belong to different models or versions" not in write_page(tmp_path).read_text()
    written(tmp_path, SAMPLES, samples(root="b" * 64))
    assert "belong to different models or versions" in write_page(tmp_path).read_text()


def test_an_empty_folder_has_no_page(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"has neither a depth\.json nor .*; evaluate first"):
        write_page(tmp_path)


def test_figures_of_an_older_program_are_told_and_not_shown(tmp_path: Path) -> None:
    write_result(tmp_path, DEPTH, b'{"dataset": "faces"}')
    with pytest.raises(FileNotFoundError, match="evaluate first"):
        write_page(tmp_path)
    written(tmp_path, SAMPLES, samples())
    page = write_page(tmp_path).read_text()
    assert "depth.json was written by another version of portrait-rgbd; evaluate again" in page
    assert 'id="depth"' not in page
    assert 'id="samples"' in page
