"""The recipe "a data stage" of docs/architecture.md, followed once: how bright is the skin of a clip."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from model.settings import Settings
from tasks import dag
from tasks.chain import Chain, Node
from tasks.dataset.settings import StageSettings
from tasks.engine.clip import Clip
from tasks.engine.run_stage import RunSettings, run_stage
from tasks.media.video_files import read_frames
from tasks.stage import Stage, StageInput, StageOutput
from tests.conftest import RealBuild


# step 1: the module of the stage
class LightSettings(Settings):
    """How brightness is measured."""

    every: int = 5
    """Measure one frame out of this many."""


def run(stage_input: StageInput, settings: LightSettings) -> StageOutput:
    """Mean grey level of the skin, 0..255."""
    pictures = read_frames(stage_input.blobs["crop"], pixel_format="gray")
    masks = read_frames(stage_input.blobs["mask"], pixel_format="gray")
    levels = [
        float(picture[mask > 127].mean())
        for number, (picture, mask) in enumerate(zip(pictures, masks, strict=True))
        if number % settings.every == 0
    ]
    return StageOutput(files={}, values={"skin_level": round(float(np.mean(levels)), 3)})


STAGE = Stage(name="light", version=1, run=run, settings_type=LightSettings, tools=("ffmpeg", "numpy"))

# step 2: its line in the DAG
LIGHT = Node("light", __name__, takes=("crop", "mask"), gives=(), reads=("frames",))
WILD = Chain("wild", given=dag.WILD.given, nodes=(*dag.WILD.nodes, LIGHT))


# step 3: its settings
class MyStageSettings(StageSettings):
    light: LightSettings = LightSettings()
    """How brightness is measured."""


def test_the_new_stage_runs_on_published_clips(real_build: RealBuild) -> None:
    store = real_build.store
    clips = [
        Clip(clip_id=row.clip_id, kind="wild", video_id=row.clip_id, files={}, blobs=row.blobs, values={})
        for row in real_build.rows.values()
        if row.status == "published" and row.kind == "wild"
    ]
    settings = MyStageSettings().by_name()
    done = run_stage.fn(
        WILD.nodes[-1],
        clips,
        label="",
        store_root=store.root,
        settings=settings["light"],
        run=RunSettings(),
    )
    assert done
    assert {clip.reason for clip in done} == {None}
    assert all(20 < clip.values["skin_level"] < 250 for clip in done)
    assert Path(__file__).stem in LIGHT.dotted
