from __future__ import annotations

import pytest

from model.training.stages import PAPER_INPAINT, PAPER_JOINT, PAPER_MOTION, MotionSettings

ALL = [PAPER_JOINT, PAPER_INPAINT, PAPER_MOTION]


def test_they_have_the_papers_values():
    """Paper 5.1."""
    assert [stage.trainer.global_batch for stage in ALL] == [32, 32, 1]
    assert {stage.trainer.learning_rate for stage in ALL} == {1e-5}
    assert {stage.trainer.lr_schedule for stage in ALL} == {"constant"}
    assert PAPER_JOINT.trainer.steps == 30_000
    assert (PAPER_MOTION.length.frames, PAPER_MOTION.length.given) == (14, 4)


@pytest.mark.parametrize("stage", ALL)
def test_a_stage_is_the_same_record_after_json(stage):
    assert type(stage).model_validate_json(stage.model_dump_json()) == stage


def test_a_stage_of_other_fields_is_refused():
    with pytest.raises(ValueError, match="masks"):
        MotionSettings.model_validate({**PAPER_MOTION.model_dump(), "masks": {}})
