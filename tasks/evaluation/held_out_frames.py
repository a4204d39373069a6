"""The frames that a model is judged by: spread over the clips of a split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from model.samples.depth_code import DepthRange
from model.samples.manifest import ManifestRow
from model.samples.pictures import Pictures
from tasks.evaluation.cached_clips import CachedClips
from tasks.media.published_clip import clip_range
from tasks.report.contact_sheet import shown_frames


@dataclass(frozen=True, slots=True, kw_only=True)
class TestFrames:
    """Frames of many clips, one batch."""

    __test__ = False  # no test, for all its name

    rows: tuple[ManifestRow, ...]
    """(B,) of the clip that each frame is from."""
    frames: tuple[int, ...]
    """(B,) number in its clip."""
    pictures: Pictures
    """(B, ...)."""
    skinless: int = 0
    """Further frames that were looked at: they show no skin and were not chosen."""

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def names(self) -> list[str]:
        """Of each frame, for errors and tables."""
        return [f"{row.clip_id}:{frame}" for row, frame in zip(self.rows, self.frames, strict=True)]

    @property
    def rgb(self) -> Tensor:
        """(B, 3, H, W) in [0, 1]."""
        return (self.pictures.rgb + 1) / 2

    @property
    def ranges(self) -> list[DepthRange]:
        """Near and far of the clip that each frame is from."""
        return [clip_range(row.model_dump()) for row in self.rows]

    @property
    def truth_m(self) -> Tensor:
        """(B, H, W) metres; a clip's far where there is no surface."""
        metres = [seen.decode(code) for seen, code in zip(self.ranges, self.pictures.code, strict=True)]
        return torch.stack(metres)

    def of_kind(self, kind: Literal["studio", "wild"]) -> Tensor:
        """(B,) bool."""
        return torch.tensor([row.kind == kind for row in self.rows])


def choose_frames(rows: Sequence[ManifestRow], clips: CachedClips, *, per_clip: int) -> TestFrames:
    """At most `per_clip` frames of each clip, evenly spread: neighbours in a video are one picture.

    Raises:
        ValueError: no frame has skin.
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
    return TestFrames(rows=of_rows, frames=frames, pictures=joined(parts), skinless=skinless)


def taken(pictures: Pictures, chosen: Sequence[int]) -> Pictures:
    """Some frames."""
    some = list(chosen)
    return Pictures(rgb=pictures.rgb[some], code=pictures.code[some], mask=pictures.mask[some])


def joined(parts: Sequence[Pictures]) -> Pictures:
    """Pictures one after another."""
    return Pictures(
        rgb=torch.cat([part.rgb for part in parts]),
        code=torch.cat([part.code for part in parts]),
        mask=torch.cat([part.mask for part in parts]),
    )
