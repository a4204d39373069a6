"""Shrinking: area means, depth never mixed with the background."""

from __future__ import annotations

import torch

from model.samples.depth_code import DepthRange
from model.samples.pictures import shrink

RANGE = DepthRange(near_m=0.5, far_m=0.7)


def crop(side: int = 8) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    rgb = torch.randint(0, 256, (2, side, side, 3), dtype=torch.uint8, generator=generator)
    depth_m = 0.5 + 0.2 * torch.rand(2, side, side, generator=generator)
    return rgb, depth_m, torch.ones(2, side, side, dtype=torch.bool)


def test_colors_and_depth_are_area_means() -> None:
    rgb, depth_m, mask = crop()
    small = shrink(rgb, depth_m, mask, depth_range=RANGE, side_px=4)
    assert small.rgb.shape == (2, 3, 4, 4)
    assert len(small) == 2
    block = rgb[1, 2:4, 4:6].float().mean(dim=(0, 1)) / 127.5 - 1
    torch.testing.assert_close(small.rgb[1, :, 1, 2], block)
    torch.testing.assert_close(RANGE.decode(small.code)[1, 1, 2], depth_m[1, 2:4, 4:6].mean())
    assert small.mask.all()


def test_same_size_keeps_every_depth() -> None:
    rgb, depth_m, mask = crop()
    depth_m[0, :3] = 0
    mask[0, :4] = False
    same = shrink(rgb, depth_m, mask, depth_range=RANGE, side_px=8)
    torch.testing.assert_close(RANGE.decode(same.code)[depth_m > 0], depth_m[depth_m > 0])
    assert (same.code[depth_m == 0] == 1).all()
    assert torch.equal(same.mask, mask)


def test_depth_is_the_surfaces_own_or_none() -> None:
    rgb, depth_m, mask = crop()
    depth_m[:] = 0.55
    depth_m[0, 0, 0] = 0  # a quarter of the first small pixel
    depth_m[0, 2:4, 0:2] = torch.tensor([[0.55, 0], [0, 0]])  # three quarters of the one below
    small = shrink(rgb, depth_m, mask, depth_range=RANGE, side_px=4)
    torch.testing.assert_close(small.code[0, 0, 0], torch.tensor(-0.5))
    assert small.code[0, 1, 0] == 1
    assert not small.mask[0, 1, 0]  # skin without depth is not in the mask
    assert small.mask[0, 0, 0]


def test_a_small_pixel_is_skin_by_majority() -> None:
    rgb, depth_m, mask = crop()
    mask[0, 0:2, 0:2] = torch.tensor([[True, True], [False, False]])
    mask[0, 0:2, 2:4] = torch.tensor([[True, False], [False, False]])
    small = shrink(rgb, depth_m, mask, depth_range=RANGE, side_px=4)
    assert small.mask[0, 0, 0]
    assert not small.mask[0, 0, 1]
