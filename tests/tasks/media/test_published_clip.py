"""Training pictures of a clip, read back from its three videos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tasks.media.published_clip import clip_pictures, clip_range, clip_speech
from tasks.media.video_files import write_audio, write_video
from tests.tasks.small_clips import FAR_M, NEAR_M, SIDE, clip_arrays, write_clip


def test_pictures_are_the_clips_own(tmp_path: Path) -> None:
    files, values = write_clip(tmp_path / "clip", 5)
    parts = list(clip_pictures(files, values, side_px=SIDE, frames_at_once=2))
    assert [len(part) for part in parts] == [2, 2, 1]
    rgb, depth_m, mask = clip_arrays(5)
    code = torch.cat([part.code for part in parts])
    depth = torch.from_numpy(depth_m)
    assert (code[depth == 0] == 1).all()
    found_m = clip_range(values).decode(code)
    assert (found_m - depth)[depth > 0].abs().max() < 3e-6
    assert torch.equal(torch.cat([part.mask for part in parts]), torch.from_numpy(mask > 0))
    colors = torch.cat([part.rgb for part in parts]).permute(0, 2, 3, 1) * 127.5 + 127.5
    assert (colors - torch.from_numpy(rgb).float()).abs().mean() < 3


def test_near_and_far_are_the_clips(tmp_path: Path) -> None:
    _, values = write_clip(tmp_path / "clip", 1)
    assert (clip_range(values).near_m, clip_range(values).far_m) == (NEAR_M, FAR_M)


def test_all_frames_of_a_clip_have_one_range(tmp_path: Path) -> None:
    """Marigold #17: where each picture has its own near and far, depth flickers."""
    files, values = write_clip(tmp_path / "clip", 3)
    (pictures,) = clip_pictures(files, values, side_px=SIDE, frames_at_once=9)
    depth_m = torch.from_numpy(clip_arrays(3)[1])
    assert len(set(depth_m.amax(dim=(1, 2)).tolist())) > 1
    found = clip_range(values).decode(pictures.code)
    torch.testing.assert_close(found[depth_m > 0], depth_m[depth_m > 0], atol=1e-4, rtol=0)


def test_videos_of_several_lengths_are_an_error(tmp_path: Path) -> None:
    files, values = write_clip(tmp_path / "clip", 3)
    files["mask"] = tmp_path / "short.mkv"
    write_video(files["mask"], clip_arrays(2)[2], profile="mask")
    with pytest.raises(ValueError, match="shorter"):
        list(clip_pictures(files, values, side_px=16, frames_at_once=2))


def test_sixteen_bit_samples_of_the_first_frames_are_floats(tmp_path: Path) -> None:
    samples = np.arange(-32768, -32768 + 3 * 640).astype(np.int16)
    write_audio(tmp_path / "a.wav", samples)
    speech = clip_speech(tmp_path / "a.wav", frames=2)
    assert speech.dtype == torch.float32
    assert torch.equal(speech, torch.from_numpy(samples[: 2 * 640] / np.float32(32768)))
    assert speech[0] == -1
