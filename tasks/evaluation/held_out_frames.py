"""Held-out frames that a model is evaluated on: a few of each clip of a split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from model.metrics.depth_estimators import EstimatorInput
from model.samples.depth_code import DepthRange
from model.samples.manifest import ManifestRow
from model.samples.pictures import Pictures
from tasks.evaluation.cached_clips import CachedClips
from tasks.media.published_clip import clip_range
from tasks.report.contact_sheet import shown_frames


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOutFrames:
    """Frames of many clips with their ground truth, as one batch."""

    rows: tuple[ManifestRow, ...]
    """(B,) clip of each frame."""
    frames: tuple[int, ...]
    """(B,) number of each frame in its clip."""
    pictures: Pictures
    """(B, ...) RGB, depth codes and skin masks."""
    skinless: int = 0
    """Number of further frames that were read and left out, because they show no skin."""

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def names(self) -> list[str]:
        """Names of the frames for error messages: clip id and number."""
        return [f"{row.clip_id}:{frame}" for row, frame in zip(self.rows, self.frames, strict=True)]

    @property
    def rgb(self) -> Tensor:
        """(B, 3, H, W) in [0, 1]."""
        return (self.pictures.rgb + 1) / 2

    @property
    def ranges(self) -> list[DepthRange]:
        """(B,) depth range of the clip of each frame."""
        return [clip_range(row.model_dump()) for row in self.rows]

    @property
    def truth_m(self) -> Tensor:
        """(B, H, W) ground-truth depth in metres; a pixel without a surface has the far end of its range."""
        metres = [own.decode(code) for own, code in zip(self.ranges, self.pictures.code, strict=True)]
        return torch.stack(metres)

    @property
    def estimator_input(self) -> EstimatorInput:
        """The frames as depth estimators read them."""
        return EstimatorInput(rgb=self.rgb, true_code=self.pictures.code, rows=self.rows)

    def of_kind(self, kind: Literal["studio", "wild"]) -> Tensor:
        """(B,) bool, whether each frame is of a clip of this kind."""
        return torch.tensor([row.kind == kind for row in self.rows])


def choose_frames(rows: Sequence[ManifestRow], clips: CachedClips, *, per_clip: int) -> HeldOutFrames:
    """Choose up to `per_clip` frames of each clip, evenly spread: neighbours in a video are nearly equal.

    Raises:
        ValueError: no frame shows skin.
    """
    kept: list[tuple[ManifestRow, int, Pictures]] = []
    skinless = 0
    for row in rows:
        places = shown_frames(clips.count(row), per_clip)
        for place, picture in zip(places, clips.chosen(row, places), strict=True):
            if picture.mask.any():
                kept.append((row, place * clips.every[row.clip_id], picture))
            else:
                skinless += 1
    if not kept:
        raise ValueError("no frame of the split shows skin; evaluate another split or version")
    of_rows, frames, parts = zip(*kept, strict=True)
    return HeldOutFrames(rows=of_rows, frames=frames, pictures=joined(parts), skinless=skinless)


def taken(pictures: Pictures, chosen: Sequence[int]) -> Pictures:
    """The chosen frames, in this order."""
    some = list(chosen)
    return Pictures(rgb=pictures.rgb[some], code=pictures.code[some], mask=pictures.mask[some])


def joined(parts: Sequence[Pictures]) -> Pictures:
    """Concatenate frames in order."""
    return Pictures(
        rgb=torch.cat([part.rgb for part in parts]),
        code=torch.cat([part.code for part in parts]),
        mask=torch.cat([part.mask for part in parts]),
    )
