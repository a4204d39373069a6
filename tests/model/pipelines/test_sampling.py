"""Guidance weights predictions and calls none of weight zero; a perfect denoiser recovers the latents."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from model.networks.noise_schedule import NoiseSettings, add_noise, loss_target, noise_schedule
from model.pipelines.sampling import Guide, denoise, guided, guided_at_once

LEVEL = torch.tensor([7, 7])
NOISE_PREDS = [torch.randn(2, 8, 3, 3, generator=torch.Generator().manual_seed(seed)) for seed in range(3)]


def predictions(called: list[int]):
    """Three of them; each notes that it was called."""

    def prediction(index):
        def predict(latents, level):
            assert latents is NOISE_PREDS[0]
            assert level is LEVEL
            called.append(index)
            return NOISE_PREDS[index]

        return predict

    return [prediction(index) for index in range(3)]


def guided_by(scales):
    """The guided noise prediction for these scales, and the predictions that were called."""
    called: list[int] = []
    first, *others = predictions(called)[: 1 + len(scales)]
    guides = [Guide(scale=scale, predict=predict) for scale, predict in zip(scales, others, strict=True)]
    return guided(first, guides)(NOISE_PREDS[0], LEVEL), called


def test_without_guides_it_is_the_prediction():
    noise_pred, called = guided_by([])
    assert torch.equal(noise_pred, NOISE_PREDS[0])
    assert called == [0]


@pytest.mark.parametrize("scale", [0.0, 0.5, 1.0, 2.0, 7.5])
def test_one_guide_is_classifier_free_guidance(scale):
    noise_pred, _ = guided_by([scale])
    torch.testing.assert_close(noise_pred, NOISE_PREDS[0] + scale * (NOISE_PREDS[1] - NOISE_PREDS[0]))


@pytest.mark.parametrize("scales", product([0.0, 1.0, 1.5, 3.0], repeat=2))
def test_each_guide_counts_from_the_prediction_before_it(scales):
    noise_pred, _ = guided_by(scales)
    first, second = scales
    expected = (
        NOISE_PREDS[0]
        + first * (NOISE_PREDS[1] - NOISE_PREDS[0])
        + second * (NOISE_PREDS[2] - NOISE_PREDS[1])
    )
    torch.testing.assert_close(noise_pred, expected, rtol=1e-5, atol=1e-5)


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
    assert guided_by(scales)[1] == needed


@pytest.mark.parametrize("scale", [-1.0, 0.5, 7.5])
def test_guidance_at_once_is_the_same_in_one_call(scale):
    called: list[int] = []

    def both(latents, level):
        called.append(len(level))
        without, with_it = latents.chunk(2)
        return torch.cat([without + NOISE_PREDS[1], with_it + NOISE_PREDS[2]])

    noise_pred = guided_at_once(both, scale=scale)(NOISE_PREDS[0], LEVEL)
    torch.testing.assert_close(
        noise_pred, NOISE_PREDS[0] + NOISE_PREDS[1] + scale * (NOISE_PREDS[2] - NOISE_PREDS[1])
    )
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
    """The prediction is the target that belongs to the clean latents at this level."""
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
