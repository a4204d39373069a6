"""Guidance is weights on predictions; what has none is not made. A perfect denoiser finds the picture."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from model.networks.noise_schedule import NoiseSettings, add_noise, loss_target, noise_schedule
from model.pipelines.sampling import Guide, denoise, guided, guided_at_once

LEVEL = torch.tensor([7, 7])
SAID = [torch.randn(2, 8, 3, 3, generator=torch.Generator().manual_seed(seed)) for seed in range(3)]


def predictions(called: list[int]):
    """Three of them; each notes that it was called."""

    def prediction(index):
        def predict(latents, level):
            assert latents is SAID[0]
            assert level is LEVEL
            called.append(index)
            return SAID[index]

        return predict

    return [prediction(index) for index in range(3)]


def said_by(scales):
    """What guidance by so many scales says, and which predictions it asked for."""
    called: list[int] = []
    first, *others = predictions(called)[: 1 + len(scales)]
    guides = [Guide(scale=scale, predict=predict) for scale, predict in zip(scales, others, strict=True)]
    return guided(first, guides)(SAID[0], LEVEL), called


def test_without_guides_it_is_the_prediction():
    said, called = said_by([])
    assert torch.equal(said, SAID[0])
    assert called == [0]


@pytest.mark.parametrize("scale", [0.0, 0.5, 1.0, 2.0, 7.5])
def test_one_guide_is_classifier_free_guidance(scale):
    said, _ = said_by([scale])
    torch.testing.assert_close(said, SAID[0] + scale * (SAID[1] - SAID[0]))


@pytest.mark.parametrize("scales", product([0.0, 1.0, 1.5, 3.0], repeat=2))
def test_each_guide_counts_from_the_prediction_before_it(scales):
    said, _ = said_by(scales)
    first, second = scales
    expected = SAID[0] + first * (SAID[1] - SAID[0]) + second * (SAID[2] - SAID[1])
    torch.testing.assert_close(said, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("scales", "needed"),
    [
        ([1.0], [1]),
        ([0.0], [0]),
        ([2.0], [0, 1]),
        ([1.0, 1.0], [2]),
        ([1.0, 3.0], [1, 2]),
        ([3.0, 3.0], [0, 2]),
        ([0.0, 0.0], [0]),
        ([1.0, 0.0], [1]),
        ([2.0, 3.0], [0, 1, 2]),
    ],
)
def test_what_has_no_weight_is_never_called(scales, needed):
    assert said_by(scales)[1] == needed


@pytest.mark.parametrize("scale", [-1.0, 0.5, 7.5])
def test_guidance_at_once_is_the_same_in_one_call(scale):
    called: list[int] = []

    def both(latents, level):
        called.append(len(level))
        without, with_it = latents.chunk(2)
        return torch.cat([without + SAID[1], with_it + SAID[2]])

    said = guided_at_once(both, scale=scale)(SAID[0], LEVEL)
    torch.testing.assert_close(said, SAID[0] + SAID[1] + scale * (SAID[2] - SAID[1]))
    assert called == [2 * len(LEVEL)]


PREDICTIONS = [
    NoiseSettings(),
    NoiseSettings(prediction="v_prediction"),
    NoiseSettings(prediction="v_prediction", zero_snr=True),
]


@pytest.mark.parametrize("shape", [(2, 8, 3, 3), (1, 8, 4, 3, 3)], ids=["pictures", "video"])
@pytest.mark.parametrize("steps", [1, 2, 7, 30])
@pytest.mark.parametrize("settings", PREDICTIONS, ids=str)
def test_who_knows_the_picture_finds_it(settings, steps, shape):
    """It says, of what it is shown, what would be the target if the rest were noise."""
    schedule = noise_schedule(settings)
    clean, start = (5 * torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2))
    levels = []

    def predict(latents, level):
        assert level.shape == (len(latents),)
        levels.append(int(level[0]))
        # a and s, out of the schedule that training uses
        signal, strength = (
            add_noise(schedule, one, other, level)
            for one, other in (
                (torch.ones_like(latents), torch.zeros_like(latents)),
                (torch.zeros_like(latents), torch.ones_like(latents)),
            )
        )
        return loss_target(schedule, clean, (latents - signal * clean) / strength, level)

    done = []
    made = denoise(predict, start, schedule=schedule, steps=steps, on_step=lambda: done.append(1))
    torch.testing.assert_close(made, clean, rtol=1e-3, atol=1e-3)
    assert len(done) == len(levels) == steps
    assert levels[0] == 999
    assert levels == sorted(set(levels), reverse=True)


def test_no_noise_is_added_on_the_way():
    """Twice the same, whatever the global generator does."""
    schedule = noise_schedule(NoiseSettings())
    start = torch.randn(1, 8, 3, 3, generator=torch.Generator().manual_seed(0))
    made = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        made.append(denoise(lambda latents, _: latents.tanh(), start, schedule=schedule, steps=4))
    assert torch.equal(*made)
