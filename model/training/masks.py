"""Masks of the inpaint stage, asymmetric in RGB and depth (paper 4.1, 7.2): 1 = generate, 0 = given."""

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
    """How often each task is trained, as shares of their sum."""

    joint: NonNegativeFloat = 0.25
    """RGB and depth are generated."""
    image_to_depth: NonNegativeFloat = 0.35
    """Depth is generated from RGB."""
    depth_to_image: NonNegativeFloat = 0.25
    """RGB is generated from depth."""
    regions: NonNegativeFloat = 0.15
    """A rectangle is generated: in both, or in one while the other is given or generated whole."""
    least_side: float = Field(default=0.25, gt=0, lt=1)
    """Shortest side of a rectangle, as a share of the picture's; the longest is just short of the whole."""

    @model_validator(mode="after")
    def _some_task(self) -> Self:
        if not any(self.shares):
            raise ValueError(f"the shares of {', '.join(TASKS)} are all 0; give one of them a share")
        return self

    @property
    def shares(self) -> tuple[float, ...]:
        """Shares in the order of TASKS."""
        return (self.joint, self.image_to_depth, self.depth_to_image, self.regions)


def draw_masks(seeds: Tensor, size: tuple[int, int], *, settings: MaskSettings) -> tuple[Tensor, Tensor]:
    """Draw masks of RGB and depth for seeds (B,), on the CPU: (B, 1, h, w) each, 0.0 or 1.0.

    Every sample has something to generate. size: height and width of the latents.
    """
    pairs = [_pair(generator, size, settings) for generator in streams(seeds, "masks")]
    rgb, depth = zip(*pairs, strict=True)
    return torch.stack(rgb), torch.stack(depth)


def _pair(generator: Generator, size: tuple[int, int], settings: MaskSettings) -> tuple[Tensor, Tensor]:
    generated, given = torch.ones(1, *size), torch.zeros(1, *size)
    chosen = int(torch.multinomial(torch.tensor(settings.shares), 1, generator=generator))
    match TASKS[chosen]:
        # two pure white masks: joint generation remains possible (paper 7.2)
        case "joint":
            return generated, generated
        case "image_to_depth":
            return given, generated
        case "depth_to_image":
            return generated, given
        case "regions":
            region = _region(generator, size, settings.least_side)
            pairs = (
                (region, region),
                (region, given),
                (given, region),
                (region, generated),
                (generated, region),
            )
            return pairs[int(torch.randint(len(pairs), (), generator=generator))]


def _region(generator: Generator, size: tuple[int, int], least_side: float) -> Tensor:
    """A mask (1, h, w) of zeros with a rectangle of ones."""
    region = torch.zeros(1, *size)
    rows, columns = (_span(generator, length, round(least_side * length)) for length in size)
    region[:, rows, columns] = 1
    return region


def _span(generator: Generator, length: int, least: int) -> slice:
    # never the whole side: that is what the other tasks train
    least = min(max(1, least), length - 1)
    side = int(torch.randint(least, length, (), generator=generator))
    start = int(torch.randint(length - side + 1, (), generator=generator))
    return slice(start, start + side)
