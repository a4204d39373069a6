from __future__ import annotations

import pytest
import torch
from diffusers import DDIMScheduler
from pydantic import ValidationError

from model.networks.noise_schedule import LEVELS, NoiseSettings, add_noise, loss_target, noise_schedule

ALL = [
    NoiseSettings(),
    NoiseSettings(prediction="v_prediction"),
    NoiseSettings(prediction="v_prediction", zero_snr=True),
]
LEVEL = torch.tensor([0, 300, 999])


def latents(seed):
    """(3, 8, 4, 4), far outside [-1, 1]."""
    return 5 * torch.randn(3, 8, 4, 4, generator=torch.Generator().manual_seed(seed))


def scales(settings=None):
    """Signal and noise at LEVEL, from the textbook."""
    settings = settings or NoiseSettings()
    roots = torch.linspace(settings.beta_start**0.5, settings.beta_end**0.5, LEVELS, dtype=torch.float64)
    signal = torch.cumprod(1 - roots.square(), dim=0).sqrt()[LEVEL]
    return (part.float()[:, None, None, None] for part in (signal, (1 - signal.square()).sqrt()))


def test_noise_is_added_on_stable_diffusions_schedule():
    """EchoMimic PR #127: weights made with scaled_linear were sampled with linear betas."""
    clean, noise = latents(0), latents(1)
    signal, strength = scales()
    noisy = add_noise(noise_schedule(NoiseSettings()), clean, noise, LEVEL)
    torch.testing.assert_close(noisy, signal * clean + strength * noise, rtol=1e-4, atol=1e-4)


def test_epsilon_is_the_noise():
    noise = latents(1)
    assert torch.equal(loss_target(noise_schedule(NoiseSettings()), latents(0), noise, LEVEL), noise)


def test_velocity_is_signal_times_noise_minus_strength_times_picture():
    clean, noise = latents(0), latents(1)
    signal, strength = scales()
    target = loss_target(noise_schedule(ALL[1]), clean, noise, LEVEL)
    torch.testing.assert_close(target, signal * noise - strength * clean, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("settings", ALL)
def test_who_says_the_target_has_the_picture(settings):
    """One sampling step from the last level to the end: training and sampling mean the same."""
    schedule = noise_schedule(settings)
    clean, noise = latents(0), latents(1)
    last = torch.full((3,), LEVELS - 1)
    schedule.set_timesteps(1)
    said = loss_target(schedule, clean, noise, last)
    noisy = add_noise(schedule, clean, noise, last)
    made = schedule.step(said, int(schedule.timesteps[0]), noisy).prev_sample
    torch.testing.assert_close(made, clean, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("steps", [1, 3, 7, 50])
def test_sampling_starts_where_noise_is_strongest(steps):
    """However few the steps are: elsewhere a picture would still be in what is taken for noise."""
    schedule = noise_schedule(NoiseSettings())
    schedule.set_timesteps(steps)
    assert int(schedule.timesteps[0]) == LEVELS - 1


def test_at_zero_snr_the_last_level_is_noise_alone():
    """Moore-AnimateAnyone #74."""
    noise = latents(1)
    noisy = add_noise(noise_schedule(ALL[2]), latents(0), noise, torch.full((3,), LEVELS - 1))
    torch.testing.assert_close(noisy, noise, rtol=0, atol=1e-6)


def test_zero_snr_needs_velocity():
    with pytest.raises(ValidationError, match="zero_snr needs prediction v_prediction"):
        NoiseSettings(zero_snr=True)


@pytest.mark.parametrize(("start", "end"), [(0.1, 0.01), (0.1, 1.0)])
def test_betas_that_are_no_schedule_are_refused(start, end):
    with pytest.raises(ValidationError, match="need beta_start <= beta_end < 1"):
        NoiseSettings(beta_start=start, beta_end=end)


@pytest.mark.parametrize("settings", ALL)
def test_it_is_the_same_after_saving(settings, tmp_path):
    noise_schedule(settings).save_pretrained(tmp_path)
    loaded = DDIMScheduler.from_pretrained(tmp_path)
    pictures = latents(0), latents(1), LEVEL
    for function in (add_noise, loss_target):
        assert torch.equal(function(loaded, *pictures), function(noise_schedule(settings), *pictures))
