"""Profiles: by name, from a file, and what cannot work."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from model.training.motion_step import MotionSettings
from model.training.profiles import PROFILES, Profile, demo, find_profile, paper, small


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_written_down_is_the_same_profile(name: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(find_profile(name).model_dump_json())
    assert find_profile(str(path)) == find_profile(name)


def test_paper_has_the_papers_values() -> None:
    """Paper 5.1 and 7.2: batch 32, rate 1e-5, 30,000 steps, 512 px; motion: one clip of 14 frames."""
    profile = paper()
    stages, motion = (profile.joint, profile.inpaint, profile.motion), profile.motion
    assert (profile.joint.trainer.steps, profile.joint.trainer.global_batch) == (30_000, 32)
    assert {stage.trainer.learning_rate for stage in stages} == {1e-5}
    assert (profile.side_px, profile.noise.prediction) == (512, "epsilon")
    assert [stage.trainer.global_batch for stage in stages] == [32, 32, 1]
    assert {stage.trainer.lr_schedule for stage in stages} == {"constant"}
    assert (motion.trainer.global_batch, motion.length.frames, motion.length.num_motion_frames) == (1, 14, 4)


def test_only_pretrained_networks_are_not_called_untrained() -> None:
    assert paper().untrained is None
    assert "trained from nothing" in str(small().untrained)
    assert "look better after profile small" in str(demo().untrained)
    assert "look better" not in str(small().untrained)


def test_stages_of_a_wish_begin_with_the_vae_where_it_is_trained() -> None:
    assert small().stages("all") == ("autoencoder", "joint", "inpaint", "motion")
    assert small().stages("autoencoder") == ("autoencoder",)
    assert small().stages("motion") == ("autoencoder", "motion")
    assert paper().stages("all") == ("joint", "inpaint", "motion")
    with pytest.raises(ValueError, match="VAE comes pretrained"):
        paper().stages("autoencoder")


def test_sizes_that_do_not_fit_are_refused() -> None:
    told = small().model_dump()
    with pytest.raises(ValidationError, match="side_px is 128, but the VAE is trained on 64 px"):
        Profile.model_validate({**told, "side_px": 128})
    with pytest.raises(ValidationError, match="there is no autoencoder stage; add the stage"):
        Profile.model_validate({**told, "autoencoder": None})


def test_a_stage_with_fields_of_another_is_refused() -> None:
    with pytest.raises(ValidationError, match="masks"):
        MotionSettings.model_validate({**paper().motion.model_dump(), "masks": {}})
