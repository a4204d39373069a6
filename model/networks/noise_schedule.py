"""The one noise schedule of all stages and of sampling; it is saved with a pipeline."""

from __future__ import annotations

from typing import Any, Literal, Self, cast

from diffusers import DDIMScheduler
from pydantic import PositiveFloat, model_validator
from torch import Tensor

from model.settings import Settings

LEVELS = 1000
"""Of noise, 0 .. LEVELS - 1, as Stable Diffusion was trained."""


class NoiseSettings(Settings):
    """Stable Diffusion's schedule; the betas grow linearly in their square roots."""

    prediction: Literal["epsilon", "v_prediction"] = "epsilon"
    """What the denoiser says: the noise e (the paper's), or the velocity a e - s z."""
    zero_snr: bool = False
    """The last level is noise alone. Needs v_prediction: there the noise says nothing of the picture."""
    beta_start: PositiveFloat = 0.00085
    """Variance that the first level adds."""
    beta_end: PositiveFloat = 0.012
    """Variance that the last level adds."""

    @model_validator(mode="after")
    def _defined_at_all_levels(self) -> Self:
        if self.zero_snr and self.prediction != "v_prediction":
            raise ValueError("zero_snr needs prediction v_prediction: its last level has no picture in it")
        if not self.beta_start <= self.beta_end < 1:
            raise ValueError(
                f"betas {self.beta_start:g} .. {self.beta_end:g}, need beta_start <= beta_end < 1"
            )
        return self


def noise_schedule(settings: NoiseSettings) -> DDIMScheduler:
    """The schedule, for training and for sampling."""
    return DDIMScheduler(
        num_train_timesteps=LEVELS,
        beta_start=settings.beta_start,
        beta_end=settings.beta_end,
        beta_schedule="scaled_linear",
        prediction_type=settings.prediction,
        rescale_betas_zero_snr=settings.zero_snr,
        timestep_spacing="trailing",  # sampling starts at the last level, however few its steps are
        set_alpha_to_one=True,  # and ends at the clean latents
        clip_sample=False,  # latents have no range
    )


def add_noise(schedule: DDIMScheduler, clean: Tensor, noise: Tensor, level: Tensor) -> Tensor:
    """Noisy latents a z + s e, a^2 + s^2 = 1: clean z and noise e (B, ...), level (B,)."""
    return cast(Tensor, cast(Any, schedule).add_noise(clean, noise, level))


def loss_target(schedule: DDIMScheduler, clean: Tensor, noise: Tensor, level: Tensor) -> Tensor:
    """What the denoiser should say: e, or a e - s z; shapes as in add_noise."""
    if cast(Any, schedule).config.prediction_type == "epsilon":
        return noise
    return cast(Tensor, cast(Any, schedule).get_velocity(clean, noise, level))
