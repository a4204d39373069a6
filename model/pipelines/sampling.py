"""Sampling: denoising from noise to clean latents with guidance, for pictures and for video."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from diffusers import DDIMScheduler
from torch import Tensor

Prediction = Callable[[Tensor, Tensor], Tensor]
"""Noisy latents (B, 8, ...) and noise level (B,) -> noise prediction, or v-prediction, (B, 8, ...)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guide:
    """A prediction with one condition more than the prediction before it, and its weight."""

    scale: float
    """Guidance scale w; 1 = as trained."""
    predict: Prediction


def guided(first: Prediction, guides: Sequence[Guide]) -> Prediction:
    """Combine predictions by guidance: e_0 + w_1 (e_1 - e_0) + w_2 (e_2 - e_1) ...

    With one guide this is classifier-free guidance (Ho & Salimans 2022, arXiv 2207.12598). Predictions of
    weight zero are not computed: with a scale of 1, the prediction before the guide cancels. Each prediction
    is a call of its own, so that one without a condition does not spend time on attention to it.
    """

    def predict(latents: Tensor, level: Tensor) -> Tensor:
        needed = [first, *(guide.predict for guide in guides)]
        scales = [1.0, *(guide.scale for guide in guides)]
        # sorted by prediction, the sum gives e_k the weight w_k - w_(k + 1), with w_0 = 1
        weights = [now - after for now, after in zip(scales, [*scales[1:], 0.0], strict=True)]
        parts = [weight * one(latents, level) for weight, one in zip(weights, needed, strict=True) if weight]
        return sum(parts[1:], start=parts[0])

    return predict


def guided_at_once(both: Prediction, *, scale: float) -> Prediction:
    """Guide by one condition in one call of the denoiser: e_0 + w (e_1 - e_0).

    Args:
        both: prediction for the batch repeated twice, the first half without the condition and the second
            half with it. As in `guided`, the first half should not spend time on attention to the condition.
        scale: guidance scale w.
    """

    def predict(latents: Tensor, level: Tensor) -> Tensor:
        without, conditioned = both(torch.cat([latents, latents]), torch.cat([level, level])).chunk(2)
        return torch.lerp(without, conditioned, scale)

    return predict


@torch.inference_mode()
def denoise(
    predict: Prediction,
    noise: Tensor,
    *,
    schedule: DDIMScheduler,
    steps: int,
    on_step: Callable[[], None] = lambda: None,
) -> Tensor:
    """Denoise latents (B, 8, ...) by DDIM (Song et al. 2020, arXiv 2010.02502) without further noise (eta 0).

    The schedule says whether predictions are of the noise or of v (Salimans & Ho 2022, arXiv 2202.00512), and
    whether its last level is pure noise (zero terminal SNR, Lin et al. 2023, arXiv 2305.08891).

    Args:
        predict: prediction of the denoiser, guided or not.
        noise: Gaussian noise (B, 8, ...).
        schedule: noise schedule of the training.
        steps: number of denoising steps.
        on_step: callback after each step.

    Returns:
        Clean latents (B, 8, ...).
    """
    scheduler = cast(Any, schedule)
    scheduler.set_timesteps(steps, device=noise.device)
    latents = clean = noise
    for level in scheduler.timesteps:
        noise_pred = predict(latents, level.expand(len(latents)))
        step = scheduler.step(noise_pred, level, latents)
        latents, clean = step.prev_sample, step.pred_original_sample
        on_step()
    # If the steps do not divide the levels, prev_sample of the last step may still be at level 0, with noise.
    return clean
