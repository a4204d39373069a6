"""Stage pictures: frames of a clip at training size, for training a VAE and for evaluation."""

from __future__ import annotations

import torch
from pydantic import PositiveInt
from safetensors.torch import save_file

from model.samples.pictures import Pictures
from model.settings import Settings
from tasks.media.published_clip import clip_pictures
from tasks.stage import Stage, StageInput, StageOutput

FRAMES_AT_ONCE = 16


class PictureSettings(Settings):
    """Size and number of the cached pictures."""

    side_px: PositiveInt = 64
    """Height and width of the pictures, px."""
    every: PositiveInt = 1
    """Keep the frames 0, every, 2 * every ...: neighbouring frames of a video are nearly the same picture."""


def run(stage_input: StageInput, settings: PictureSettings) -> StageOutput:
    """Write rgb (N, 3, H, W) uint8, code (N, H, W) float16 and mask (N, H, W) bool as safetensors."""
    torch.set_num_threads(1)  # sums in another order would be other bits
    kept, seen = [], 0
    for pictures in clip_pictures(
        stage_input.blobs, stage_input.values, side_px=settings.side_px, frames_at_once=FRAMES_AT_ONCE
    ):
        kept.append(_stored(pictures, slice(-seen % settings.every, None, settings.every)))
        seen += len(pictures)
    path = stage_input.scratch / "pictures.safetensors"
    save_file({name: torch.cat([part[name] for part in kept]) for name in kept[0]}, path)
    return StageOutput(files={"pictures": path}, values={})


def _stored(pictures: Pictures, frames: slice) -> dict[str, torch.Tensor]:
    colors = ((pictures.rgb[frames] + 1) * 127.5).round().to(torch.uint8)
    return {"rgb": colors, "code": pictures.code[frames].half(), "mask": pictures.mask[frames]}


STAGE = Stage(
    name="pictures",
    version=1,
    run=run,
    settings_type=PictureSettings,
    tools=("ffmpeg", "torch", "numpy", "safetensors"),
)
