"""Pictures of a clip at training size: RGB, depth code and skin mask, from the published crop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from model.samples.depth_code import DepthRange

LEAST_COVER = 0.5
"""A small pixel has depth, or is skin, if at least this share of its area does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """Frames of one clip, or samples of a batch, (B, ...), at one size."""

    rgb: Tensor
    """(B, 3, H, W) float32 in [-1, 1]."""
    code: Tensor
    """(B, H, W) float32 depth code in [-1, 1]; +1 where there is no surface."""
    mask: Tensor
    """(B, H, W) bool: skin with known depth."""

    def __len__(self) -> int:
        return len(self.rgb)

    def batches(self, size: int) -> Iterator[Pictures]:
        """Batches of up to `size` frames, in order."""
        for first in range(0, len(self), size):
            part = slice(first, first + size)
            yield Pictures(rgb=self.rgb[part], code=self.code[part], mask=self.mask[part])


def shrink(rgb: Tensor, depth_m: Tensor, mask: Tensor, *, depth_range: DepthRange, side_px: int) -> Pictures:
    """Shrink pictures of the crop by area means.

    Depth is the mean of the surface inside a small pixel; the background does not enter.

    Args:
        rgb: (B, H, W, 3) uint8.
        depth_m: (B, H, W) metres, 0 = no surface.
        mask: (B, H, W) bool.
        depth_range: of the clip.
        side_px: new height and width.
    """
    surface = (depth_m > 0).float()
    cover = _mean(surface, side_px)
    # offset by near_m, so that the mean of float32 metres keeps its digits
    relief = _mean((depth_m - depth_range.near_m) * surface, side_px) / cover.clamp(min=1e-6)
    has_depth = cover >= LEAST_COVER
    small_m = torch.where(has_depth, depth_range.near_m + relief, 0.0)
    colors = rgb.permute(0, 3, 1, 2).contiguous().float() / 127.5 - 1
    return Pictures(
        rgb=functional.interpolate(colors, size=(side_px, side_px), mode="area"),
        code=depth_range.encode(small_m),
        mask=(_mean(mask.float(), side_px) >= LEAST_COVER) & has_depth,
    )


def _mean(maps: Tensor, side_px: int) -> Tensor:
    return functional.interpolate(maps[:, None], size=(side_px, side_px), mode="area")[:, 0]
