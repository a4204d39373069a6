"""The pictures stage: frames, types, and the same bytes again."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tasks.media.published_clip import clip_pictures
from tasks.stage import StageInput
from tasks.stages.cache_pictures import PictureSettings, run
from tests.nodes import find_node
from tests.tasks.small_clips import write_clip


@pytest.mark.parametrize("every", [1, 3, 40])
def test_every_nth_frame_is_kept(tmp_path: Path, every: int) -> None:
    files, values = write_clip(tmp_path / "clip", 35)
    output = run(
        StageInput(blobs=files, values=values, scratch=tmp_path), PictureSettings(side_px=16, every=every)
    )
    assert set(output.files) == set(find_node("pictures").gives)
    stored = load_file(output.files["pictures"])
    (whole,) = clip_pictures(files, values, side_px=16, frames_at_once=99)
    assert torch.equal(stored["code"], whole.code[::every].half())
    assert torch.equal(stored["mask"], whole.mask[::every])
    assert (stored["rgb"].float() / 127.5 - 1 - whole.rgb[::every]).abs().max() < 0.5 / 127
    assert stored["rgb"].dtype == torch.uint8


def test_the_same_bytes_again(tmp_path: Path) -> None:
    files, values = write_clip(tmp_path / "clip", 3)
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        given = StageInput(blobs=files, values=values, scratch=tmp_path / name)
        made.append(run(given, PictureSettings(side_px=16)).files["pictures"].read_bytes())
    assert made[0] == made[1]
