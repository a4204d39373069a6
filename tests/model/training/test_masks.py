from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from model.training.masks import MaskSettings, draw_masks

MANY = torch.arange(3000)
SIZE = (8, 12)
REGIONS = MaskSettings(joint=0, image_to_depth=0, depth_to_image=0)


@pytest.fixture(scope="module")
def masks():
    """Of many samples with the default proportions, (B, h, w) each."""
    return tuple(mask[:, 0] for mask in draw_masks(MANY, SIZE, settings=MaskSettings()))


def whole(mask, value):
    return (mask == value).flatten(1).all(dim=1)


def test_tasks_come_in_their_proportions(masks):
    rgb, depth = masks
    found = {
        "joint": whole(rgb, 1) & whole(depth, 1),
        "image_to_depth": whole(rgb, 0) & whole(depth, 1),
        "depth_to_image": whole(rgb, 1) & whole(depth, 0),
    }
    found["regions"] = ~(found["joint"] | found["image_to_depth"] | found["depth_to_image"])
    for task, samples in found.items():
        share = getattr(MaskSettings(), task)
        spread = (share * (1 - share) / len(MANY)) ** 0.5
        assert abs(float(samples.float().mean()) - share) < 4 * spread, task


def test_shares_are_of_their_sum():
    rgb, _ = draw_masks(MANY[:50], SIZE, settings=MaskSettings(joint=0, image_to_depth=7, regions=0))
    other, _ = draw_masks(
        MANY[:50], SIZE, settings=MaskSettings(joint=0, image_to_depth=0.7, depth_to_image=0.025, regions=0)
    )
    assert torch.equal(rgb, other)


def test_no_share_at_all_is_an_error():
    with pytest.raises(ValidationError, match=r"the shares of joint, .* are all 0"):
        MaskSettings(joint=0, image_to_depth=0, depth_to_image=0, regions=0)


def test_every_sample_makes_something_of_zeros_and_ones(masks):
    for mask in masks:
        assert set(mask.unique().tolist()) == {0.0, 1.0}
    assert (masks[0] + masks[1]).flatten(1).any(dim=1).all()


def test_a_samples_masks_are_its_own(masks):
    alone = draw_masks(MANY[40:41], SIZE, settings=MaskSettings())
    assert all(torch.equal(own[:, 0], mask[40:41]) for own, mask in zip(alone, masks, strict=True))


def test_regions_are_rectangles_between_their_limits():
    for mask in draw_masks(MANY[:300], SIZE, settings=REGIONS):
        for picture in mask[:, 0]:
            rows, columns = (picture.any(dim=dim).nonzero().flatten() for dim in (1, 0))
            if not len(rows) or picture.all():
                continue
            assert picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
            assert 2 <= len(rows) < 8
            assert 3 <= len(columns) < 12


def test_regions_are_asymmetric():
    """A region of one modality stands with the same region, all or nothing of the other."""
    rgb, depth = (mask[:, 0] for mask in draw_masks(MANY[:500], SIZE, settings=REGIONS))
    kinds = {
        "same": (rgb == depth).flatten(1).all(dim=1),
        "rgb given": whole(rgb, 0),
        "depth given": whole(depth, 0),
        "rgb made": whole(rgb, 1),
        "depth made": whole(depth, 1),
    }
    assert torch.equal(torch.stack(list(kinds.values())).sum(dim=0), torch.ones(500, dtype=torch.long))
    for name, samples in kinds.items():
        assert abs(float(samples.float().mean()) - 0.2) < 0.08, name
