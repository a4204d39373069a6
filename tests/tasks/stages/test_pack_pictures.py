"""Stage pack: numbered pictures become 25 fps video."""

import numpy as np
import pytest
from PIL import Image

from tasks.media.video_files import read_frames
from tasks.reasons import Reason, Rejected
from tasks.stage import StageInput
from tasks.stages.pack_pictures import PackSettings, run

FRAMES = 30


def make_pictures(folder, *, count=FRAMES, size=(65, 49), still=False):
    """Picture k is of grey 20 + 5 k."""
    blobs = {}
    for k in range(count):
        grey = 20 if still else 20 + 5 * k
        path = folder / f"{k}.png"
        Image.new("RGB", size, (grey, grey, grey)).save(path)
        blobs[f"image/{k:06d}"] = path
    return blobs


def pack(tmp_path, blobs, fps):
    scratch = tmp_path / "scratch"
    scratch.mkdir(exist_ok=True)
    return run(StageInput(blobs=blobs, values={"images_fps": fps}, scratch=scratch), PackSettings())


@pytest.mark.parametrize("fps", [25.0, 29.97, 23.976, 30.0, 50.0])
def test_frame_k_is_the_picture_nearest_to_k_25ths(tmp_path, fps):
    output = pack(tmp_path, make_pictures(tmp_path, count=40), fps)
    shown = [
        (float(frame.mean()) - 20) / 5 for frame in read_frames(output.files["video"], pixel_format="gray")
    ]
    assert len(shown) == output.values["source_frames"] == int(40 / fps * 25 + 1e-6)
    for k, picture in enumerate(shown):
        assert abs(picture - k * fps / 25) < 0.8


def test_odd_sides_lose_a_row_and_values_tell_the_source(tmp_path):
    output = pack(tmp_path, make_pictures(tmp_path), 25.0)
    assert next(read_frames(output.files["video"], pixel_format="rgb24")).shape == (48, 64, 3)
    assert (output.values["source_width"], output.values["source_height"]) == (65, 49)
    assert output.values["source_fps"] == 25.0
    assert output.values["has_audio"] is False


def reason_of(tmp_path, blobs, fps=25.0):
    with pytest.raises(Rejected) as caught:
        pack(tmp_path, blobs, fps)
    return caught.value.reason


def test_reasons(tmp_path):
    blobs = make_pictures(tmp_path)
    assert reason_of(tmp_path, blobs, fps=5.0) is Reason.LOW_FPS
    assert reason_of(tmp_path, dict(list(blobs.items())[:10])) is Reason.TOO_SHORT
    assert reason_of(tmp_path, make_pictures(tmp_path, still=True)) is Reason.STATIC_VIDEO
    Image.new("RGB", (10, 10)).save(blobs["image/000005"])
    assert reason_of(tmp_path, blobs) is Reason.CORRUPT
    blobs["image/000005"].write_bytes(np.random.default_rng(0).bytes(100))
    assert reason_of(tmp_path, blobs) is Reason.NOT_MEDIA
