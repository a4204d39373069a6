"""What is given and what is to be made in the inpaint stage (paper 4.1): mask 1 = generate, 0 = given."""

from __future__ import annotations

from typing import Literal, Self

import torch
from pydantic import Field, NonNegativeFloat, model_validator
from torch import Generator, Tensor

from model.settings import Settings
from model.training.sample_noise import streams

Task = Literal["joint", "image_to_depth", "depth_to_image", "regions"]
TASKS: tuple[Task, ...] = ("joint", "image_to_depth", "depth_to_image", "regions")


class MaskSettings(Settings):
    """How often each task is trained: shares of their sum."""

    joint: NonNegativeFloat = 0.25
    """Both are made."""
    image_to_depth: NonNegativeFloat = 0.35
    """RGB is given, depth is made."""
    depth_to_image: NonNegativeFloat = 0.25
    """Depth is given, RGB is made."""
    regions: NonNegativeFloat = 0.15
    """A rectangle is made: in both, or in one while the other is given or made whole."""
    least_side: float = Field(default=0.25, gt=0, lt=1)
    """Shortest side of a rectangle, as a share of the picture's; the longest is just short of the whole."""

    @model_validator(mode="after")
    def _some_task(self) -> Self:
        if not any(self.shares):
            raise ValueError(f"the shares of {', '.join(TASKS)} are all 0; give one of them a share")
        return self

    @property
    def shares(self) -> tuple[float, ...]:
        """In the order of TASKS."""
        return (self.joint, self.image_to_depth, self.depth_to_image, self.regions)


def draw_masks(seeds: Tensor, size: tuple[int, int], *, settings: MaskSettings) -> tuple[Tensor, Tensor]:
    """Masks of RGB and depth for samples with seeds (B,), on the CPU: (B, 1, h, w) each, 0.0 or 1.0.

    Something is made in every sample. size (h, w) is that of the latents.
    """
    pairs = [_pair(generator, size, settings) for generator in streams(seeds, "masks")]
    rgb, depth = zip(*pairs, strict=True)
    return torch.stack(rgb), torch.stack(depth)


def _pair(generator: Generator, size: tuple[int, int], settings: MaskSettings) -> tuple[Tensor, Tensor]:
    made, given = torch.ones(1, *size), torch.zeros(1, *size)
    chosen = int(torch.multinomial(torch.tensor(settings.shares), 1, generator=generator))
    match TASKS[chosen]:
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
    """A rectangle of ones in a picture of zeros."""
    region = torch.zeros(1, *size)
    rows, columns = (_span(generator, length, round(least_side * length)) for length in size)
    region[:, rows, columns] = 1
    return region


def _span(generator: Generator, length: int, least: int) -> slice:
    least = min(max(1, least), length - 1)
    side = int(torch.randint(least, length, (), generator=generator))
    start = int(torch.randint(length - side + 1, (), generator=generator))
    return slice(start, start + side)
