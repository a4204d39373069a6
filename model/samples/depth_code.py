"""Depth codes: metres <-> [-1, 1], one linear code for all frames of a clip, near -1, far +1.

A range of its own for each frame would make depth flicker as the nose and the ears come and go.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

NO_SURFACE_M = 0.0
"""Depth of a pixel without a surface; its code is +1, the far plane's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthRange:
    """The depths that a clip's codes stand for; it is stored beside every map."""

    near_m: float
    """Code -1."""
    far_m: float
    """Code +1."""

    def __post_init__(self) -> None:
        if not 0 < self.near_m < self.far_m < float("inf"):
            raise ValueError(
                f"depth range {self.near_m:g} .. {self.far_m:g} m, need 0 < near < far, both finite"
            )

    @property
    def code_unit_m(self) -> float:
        """Metres that one unit of code is."""
        return (self.far_m - self.near_m) / 2

    def encode(self, depth_m: Tensor) -> Tensor:
        """Metres -> codes of the same shape, float32.

        No surface (0) becomes +1. Depths outside the range are clipped to it.
        """
        # in float64, so that decoding gives the same float32 metres back
        code = (depth_m.double() - self.near_m) / self.code_unit_m - 1
        return torch.where(depth_m == NO_SURFACE_M, 1.0, code.clamp(-1, 1)).float()

    def decode(self, code: Tensor) -> Tensor:
        """Codes -> metres, float32; codes outside [-1, 1] are clipped. A pixel without surface gets far_m.

        Undoes `encode` inside the range, to the bit where far_m < 3 near_m.
        """
        return ((code.double().clamp(-1, 1) + 1) * self.code_unit_m + self.near_m).float()


def as_picture(code: Tensor) -> Tensor:
    """Codes (B, H, W) as the VAE reads them: three equal channels, (B, 3, H, W)."""
    return code[:, None].expand(-1, 3, -1, -1)


def from_picture(picture: Tensor) -> Tensor:
    """What the VAE decodes, (B, 3, H, W) -> codes (B, H, W) in [-1, 1]: the channels' mean."""
    return picture.mean(dim=1).clamp(-1, 1)
