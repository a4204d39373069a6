"""Depth codes: metres <-> [-1, 1], linear, -1 = near, +1 = far; one range for all frames of a clip.

A range for each frame would make depth flicker as nose and ears come into view and leave it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

NO_SURFACE_M = 0.0
"""Depth of a pixel without a surface; its code is +1, as for the far plane."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthRange:
    """The depths that a clip's codes stand for; stored beside every map."""

    near_m: float
    """Depth of code -1, metres."""
    far_m: float
    """Depth of code +1, metres."""

    def __post_init__(self) -> None:
        if not 0 < self.near_m < self.far_m < float("inf"):
            raise ValueError(
                f"depth range {self.near_m:g} .. {self.far_m:g} m, need 0 < near < far, both finite"
            )

    @property
    def code_unit_m(self) -> float:
        """Metres per unit of code."""
        return (self.far_m - self.near_m) / 2

    def encode(self, depth_m: Tensor) -> Tensor:
        """Metres -> codes of the same shape, float32.

        A pixel without surface (0) becomes +1. Depths outside the range are clipped.
        """
        # in float64, so that decoding gives the same float32 metres back
        code = (depth_m.double() - self.near_m) / self.code_unit_m - 1
        # the background counts as the far plane: a code outside [-1, 1] would be foreign to the VAE
        return torch.where(depth_m == NO_SURFACE_M, 1.0, code.clamp(-1, 1)).float()

    def decode(self, code: Tensor) -> Tensor:
        """Codes -> metres, float32; codes outside [-1, 1] are clipped. A pixel without surface gets far_m.

        This is the inverse of `encode` inside the range, exact to the bit where far_m < 3 near_m.
        """
        return ((code.double().clamp(-1, 1) + 1) * self.code_unit_m + self.near_m).float()


def as_picture(code: Tensor) -> Tensor:
    """Codes (B, H, W) -> pictures for the VAE, (B, 3, H, W), with three equal channels."""
    return code[:, None].expand(-1, 3, -1, -1)


def from_picture(picture: Tensor) -> Tensor:
    """Pictures from the VAE, (B, 3, H, W) -> codes (B, H, W) in [-1, 1]: the mean of the channels."""
    return picture.mean(dim=1).clamp(-1, 1)
