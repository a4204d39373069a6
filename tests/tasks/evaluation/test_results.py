"""Files of an evaluation: whole or not at all, and strict when read again."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from tasks.evaluation.results import DepthEvaluation, PictureRow, SampleEvaluation, write_result
from tests.tasks.evaluation.test_write_page import depth, samples


def test_a_result_is_written_below_the_folder_and_replaces_the_one_before(tmp_path: Path) -> None:
    for data in (b"long before", b"now"):
        path = write_result(tmp_path / "new", "pictures/one.png", data)
        assert path == tmp_path / "new" / "pictures" / "one.png"
        assert path.read_bytes() == data
    assert [one.name for one in path.parent.iterdir()] == ["one.png"]


def test_what_was_there_stays_where_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_result(tmp_path, "depth.json", b"before")

    def full(_path: Path, data: bytes) -> int:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="disk full"):
        write_result(tmp_path, "depth.json", b"after")
    assert path.read_bytes() == b"before"


def test_evaluations_are_read_as_they_were_written() -> None:
    for one in (depth(), samples(strips=(PictureRow(label="RGB", file="pictures/rgb.png"),))):
        assert type(one).model_validate_json(one.model_dump_json()) == one


@pytest.mark.parametrize("kind", [DepthEvaluation, SampleEvaluation])
def test_unknown_figures_are_refused(kind) -> None:
    one = depth() if kind is DepthEvaluation else samples()
    with pytest.raises(ValidationError, match="Extra inputs"):
        kind.model_validate({**one.model_dump(), "mse": 1.0})
