"""The noise schedule of all stages and of sampling (paper eq. 1); it is saved with a pipeline."""

from __future__ import annotations

from typing import Any, Literal, Self, cast

from diffusers import DDIMScheduler
from pydantic import PositiveFloat, model_validator
from torch import Tensor

from model.settings import Settings

LEVELS = 1000
"""Number of noise levels, 0 .. LEVELS - 1, as Stable Diffusion was trained."""


class NoiseSettings(Settings):
    """Stable Diffusion's schedule: the square roots of the betas grow linearly."""

    prediction: Literal["epsilon", "v_prediction"] = "epsilon"
    """What the denoiser predicts: the noise e (as in the paper), or the velocity a e - s z."""
    zero_snr: bool = False
    """Make the last level pure noise (zero terminal SNR); needs v_prediction."""
    beta_start: PositiveFloat = 0.00085
    """Variance that the first level adds."""
    beta_end: PositiveFloat = 0.012
    """Variance that the last level adds."""

    @model_validator(mode="after")
    def _defined_at_all_levels(self) -> Self:
        if self.zero_snr and self.prediction != "v_prediction":
            raise ValueError(
                "zero_snr needs prediction v_prediction: its last level is noise alone, from which no noise "
                "prediction gives a picture"
            )
        if not self.beta_start <= self.beta_end < 1:
            raise ValueError(
                f"betas {self.beta_start:g} .. {self.beta_end:g}, need beta_start <= beta_end < 1"
            )
        return self


def noise_schedule(settings: NoiseSettings) -> DDIMScheduler:
    """Make the schedule for training and for sampling."""
    # DDIM (Song et al. 2020, arXiv 2010.02502): deterministic sampling in few steps
    return DDIMScheduler(
        num_train_timesteps=LEVELS,
        beta_start=settings.beta_start,
        beta_end=settings.beta_end,
        beta_schedule="scaled_linear",
        prediction_type=settings.prediction,
        # Lin et al. 2023, arXiv 2305.08891: without it the last level keeps a trace of the picture, which
        # sampling from pure noise never has; "trailing" starts sampling at that level for any number of steps
        rescale_betas_zero_snr=settings.zero_snr,
        timestep_spacing="trailing",
        set_alpha_to_one=True,  # sampling ends at the clean latents
        clip_sample=False,  # latents have no range
    )


def add_noise(schedule: DDIMScheduler, clean: Tensor, noise: Tensor, level: Tensor) -> Tensor:
    """Noisy latents a z + s e, a^2 + s^2 = 1 (eq. 1, 3, 4): clean z and noise e (B, ...), level (B,)."""
    return cast(Tensor, cast(Any, schedule).add_noise(clean, noise, level))


def loss_target(schedule: DDIMScheduler, clean: Tensor, noise: Tensor, level: Tensor) -> Tensor:
    """Target of the prediction: e, or a e - s z (Salimans and Ho 2022, arXiv 2202.00512); as in add_noise."""
    if cast(Any, schedule).config.prediction_type == "epsilon":
        return noise
    return cast(Tensor, cast(Any, schedule).get_velocity(clean, noise, level))
