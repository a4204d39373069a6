"""docs/pipelines.md: its code runs, from top to bottom, and its table has every argument."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from model.pipelines.pipeline_image import PortraitRGBDPipeline
from model.pipelines.pipeline_video import PortraitRGBDVideoPipeline
from tasks.media.video_files import read_frames, write_audio
from tests.model.tiny_pipelines import SIDE_PX, image_pipeline, video_pipeline

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "pipelines.md").read_text()
FRAMES = 4


def test_the_code_of_the_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    image_pipeline().save_pretrained("R/pipeline")
    video_pipeline().save_pretrained("R/video_pipeline")
    random = np.random.default_rng(0)
    Image.fromarray(random.integers(0, 256, (40, 40, 3), np.uint8)).save("portrait.png")
    write_audio(Path("speech.wav"), random.integers(-9000, 9000, FRAMES * 640).astype(np.int16))
    names: dict[str, object] = {}
    for block in re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        exec(compile(block, "docs/pipelines.md", "exec"), names)
    samples, others = names["samples"], names["random_identities"]
    assert samples.rgb.shape == others.rgb.shape == (2, 3, SIDE_PX, SIDE_PX)
    assert samples.depth_m.min() >= 0.5
    upper = slice(0, SIDE_PX // 2)
    assert torch.equal(names["new"].rgb[:, :, upper], names["portrait"][:, :, upper])
    assert torch.equal(names["new"].depth_code[:, upper], names["depth"][:, upper])
    assert len(list(read_frames(tmp_path / "talk.mp4", pixel_format="rgb24"))) == FRAMES


@pytest.mark.parametrize(
    ("pipeline", "column"),
    [(PortraitRGBDPipeline, 0), (PortraitRGBDVideoPipeline, 1)],
    ids=["image", "video"],
)
def test_the_table_has_every_argument(pipeline, column):
    table = PAGE.split("## Arguments")[1].split("\n\n")[1]
    rows = [row.strip("|").split("|") for row in table.splitlines()[2:]]
    listed = set()
    for row in rows:
        same = row[column].strip().startswith("the same")
        listed |= set(re.findall(r"`(\w+)`", row[0] if same else row[column]))
    assert listed == set(inspect.signature(pipeline.__call__).parameters) - {"self"}
