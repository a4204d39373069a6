"""Denoising with guidance: x_T -> x_0 along the one schedule, for pictures and for videos."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from diffusers import DDIMScheduler
from torch import Tensor

Prediction = Callable[[Tensor, Tensor], Tensor]
"""Noisy latents (B, 8, ...) and level (B,) -> what the denoiser says, (B, 8, ...)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guide:
    """One condition more than the prediction before it, and how much it counts: w (with - without)."""

    scale: float
    predict: Prediction


def guided(first: Prediction, guides: Sequence[Guide]) -> Prediction:
    """Guidance: e_0 + w_1 (e_1 - e_0) + w_2 (e_2 - e_1) ...

    Each guide has one condition more than the prediction before it. A scale of 1 takes the next prediction
    whole, so that the one before it need not be made. Each prediction is a call of its own: without a
    condition its attention is not paid for.
    """

    def predict(latents: Tensor, level: Tensor) -> Tensor:
        needed = [first, *(guide.predict for guide in guides)]
        scales = [1.0, *(guide.scale for guide in guides)]
        # the weight of prediction k is w_k - w_(k + 1)
        weights = [now - after for now, after in zip(scales, [*scales[1:], 0.0], strict=True)]
        parts = [weight * one(latents, level) for weight, one in zip(weights, needed, strict=True) if weight]
        return sum(parts[1:], start=parts[0])

    return predict


def guided_at_once(both: Prediction, *, scale: float) -> Prediction:
    """Guidance by one condition in one call: e_0 + w (e_1 - e_0).

    Args:
        both: of the batch twice over, what is said without the condition and then what is said with it. As
            in `guided`, the first half should not pay for attention to what it does not see.
        scale: w.
    """

    def predict(latents: Tensor, level: Tensor) -> Tensor:
        without, with_it = both(torch.cat([latents, latents]), torch.cat([level, level])).chunk(2)
        return torch.lerp(without, with_it, scale)

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
    """Clean latents from noise (B, 8, ...) in so many DDIM steps, without further noise (eta 0)."""
    walk = cast(Any, schedule)
    walk.set_timesteps(steps, device=noise.device)
    latents = clean = noise
    for level in walk.timesteps:
        said = predict(latents, level.expand(len(latents)))
        step = walk.step(said, level, latents)
        latents, clean = step.prev_sample, step.pred_original_sample
        on_step()
    # where the steps do not divide the levels, the last one's prev_sample may be level 0, not the end
    return clean
