from __future__ import annotations

import pytest
import torch

from model.networks.noise_schedule import LEVELS
from model.training.sample_noise import kept, noise_levels, sample_noise

MANY = torch.arange(4000)


def test_a_samples_numbers_are_its_own():
    """Neither who stands beside it nor its place changes them."""
    seeds = torch.tensor([7, 2**61 + 5, 7, 9])
    whole = sample_noise(seeds, shape=(8, 4, 4))
    assert torch.equal(sample_noise(seeds[1:2], shape=(8, 4, 4)), whole[1:2])
    assert torch.equal(whole[0], whole[2])
    assert not torch.equal(whole[0], whole[3])
    assert torch.equal(noise_levels(seeds.flip(0)), noise_levels(seeds).flip(0))
    assert torch.equal(kept(seeds[2:], "speech", dropout=0.5), kept(seeds, "speech", dropout=0.5)[2:])


def test_the_upper_half_of_a_seed_counts():
    """torch's CPU generator starts from the lower 32 bits alone."""
    seeds = torch.tensor([3, 3 + 2**32])
    assert not torch.equal(*sample_noise(seeds, shape=(4,)))


def test_levels_are_uniform():
    counts = torch.bincount(noise_levels(MANY) // (LEVELS // 10), minlength=10) / len(MANY)
    assert len(counts) == 10
    torch.testing.assert_close(counts, torch.full((10,), 0.1), rtol=0, atol=0.02)


def test_noise_is_standard_normal_and_independent():
    """RGB and depth get noises of their own (paper eq. 3, 4)."""
    noise = sample_noise(MANY, shape=(2,))
    torch.testing.assert_close(torch.cov(noise.T), torch.eye(2), rtol=0, atol=0.1)
    torch.testing.assert_close(noise.mean(dim=0), torch.zeros(2), rtol=0, atol=0.06)


@pytest.mark.parametrize("dropout", [0.1, 0.5])
def test_conditions_are_dropped_at_their_rate_and_independently(dropout):
    reference, speech = (~kept(MANY, name, dropout=dropout) for name in ("reference", "speech"))
    for dropped, rate in ((reference, dropout), (speech, dropout), (reference & speech, dropout**2)):
        spread = (rate * (1 - rate) / len(MANY)) ** 0.5
        assert abs(float(dropped.float().mean()) - rate) < 4 * spread


def test_dropout_does_not_follow_the_level():
    high = noise_levels(MANY) >= LEVELS // 2
    dropped = ~kept(MANY, "reference", dropout=0.5)
    assert abs(float(dropped[high].float().mean()) - float(dropped[~high].float().mean())) < 0.06


def test_never_and_always():
    assert kept(MANY, "reference", dropout=0).all()
    assert not kept(MANY, "reference", dropout=1).any()
