"""The frames that a model is judged by: spread over the clips of a split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from model.depth_code import DepthRange
from model.pictures import Pictures
from model.sample import ManifestRow
from tasks.clip_pictures import load_pictures
from tasks.report.contact_sheet import shown_frames
from tasks.store.blobs import Store


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
    def truth_m(self) -> Tensor:
        """(B, H, W) metres; a clip's far where there is no surface."""
        metres = [
            depth_range(row).decode(code) for row, code in zip(self.rows, self.pictures.code, strict=True)
        ]
        return torch.stack(metres)

    def of_kind(self, kind: Literal["studio", "wild"]) -> Tensor:
        """(B,) bool."""
        return torch.tensor([row.kind == kind for row in self.rows])


def choose_frames(
    rows: Sequence[ManifestRow], pictures: Mapping[str, str], store: Store, *, per_clip: int
) -> TestFrames:
    """At most `per_clip` frames of each clip, evenly spread: neighbours in a video are one picture.

    Raises:
        ValueError: no frame has skin.
    """
    kept: list[tuple[ManifestRow, int, Pictures]] = []
    for row in rows:
        whole = load_pictures(store.checked_blob(pictures[row.clip_id]))
        for frame in shown_frames(len(whole), per_clip):
            picture = taken(whole, [frame])
            if picture.mask.any():
                kept.append((row, frame, picture))
    if not kept:
        raise ValueError("no frame of the split shows skin; evaluate another split or version")
    clips, frames, parts = zip(*kept, strict=True)
    return TestFrames(rows=clips, frames=frames, pictures=joined(parts))


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


def depth_range(row: ManifestRow) -> DepthRange:
    """A published clip's near and far."""
    assert row.depth_near_m is not None, "published clips have depth"
    assert row.depth_far_m is not None, "likewise"
    return DepthRange(near_m=row.depth_near_m, far_m=row.depth_far_m)
