"""What is given and what is to be made in the inpaint stage (paper 4.1): mask 1 = generate, 0 = given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import BaseModel, NonNegativeFloat, PositiveFloat
from torch import Generator, Tensor

Task = Literal["joint", "image_to_depth", "depth_to_image", "regions"]


class MaskSettings(BaseModel, frozen=True, extra="forbid", use_attribute_docstrings=True):
    """How often each task is trained, in any unit: shares are taken of the sum."""

    joint: NonNegativeFloat = 0.25
    """Both are made."""
    image_to_depth: NonNegativeFloat = 0.35
    """RGB is given, depth is made."""
    depth_to_image: NonNegativeFloat = 0.25
    """Depth is given, RGB is made."""
    regions: NonNegativeFloat = 0.15
    """The same rectangle is made in both, or in one while the other is given or made whole."""
    least_side: PositiveFloat = 0.25
    """Shortest side of a rectangle, as a part of the picture's; the longest is the whole."""

    def task(self, generator: Generator) -> Task:
        """A task at random."""
        shares = torch.tensor([self.joint, self.image_to_depth, self.depth_to_image, self.regions])
        chosen = int(torch.multinomial(shares, 1, generator=generator))
        tasks: tuple[Task, ...] = ("joint", "image_to_depth", "depth_to_image", "regions")
        return tasks[chosen]


def draw_masks(
    generators: Sequence[Generator], *, size: tuple[int, int], settings: MaskSettings
) -> tuple[Tensor, Tensor]:
    """Masks of RGB and depth for each sample's own generator, (B, 1, h, w) each."""
    pairs = [_pair(generator, size, settings) for generator in generators]
    rgb, depth = zip(*pairs, strict=True)
    return torch.stack(rgb), torch.stack(depth)


def _pair(generator: Generator, size: tuple[int, int], settings: MaskSettings) -> tuple[Tensor, Tensor]:
    made, given = torch.ones(1, *size), torch.zeros(1, *size)
    match settings.task(generator):
        case "joint":
            return made, made
        case "image_to_depth":
            return given, made
        case "depth_to_image":
            return made, given
        case "regions":
            region = _region(generator, size, settings.least_side)
            pairs = ((region, region), (region, given), (given, region), (region, made), (made, region))
            return pairs[int(torch.randint(len(pairs), (), generator=generator))]


def _region(generator: Generator, size: tuple[int, int], least_side: float) -> Tensor:
    """A rectangle of ones."""
    region = torch.zeros(1, *size)
    spans = []
    for length in size:
        side = int(torch.randint(max(1, round(least_side * length)), length + 1, (), generator=generator))
        start = int(torch.randint(length - side + 1, (), generator=generator))
        spans.append(slice(start, start + side))
    region[:, spans[0], spans[1]] = 1
    return region
