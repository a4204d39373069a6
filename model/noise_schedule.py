"""The one noise schedule of all stages and of sampling; it is saved with a pipeline."""

from __future__ import annotations

from typing import Any, Literal, Self, cast

from diffusers import DDIMScheduler
from pydantic import BaseModel, PositiveFloat, PositiveInt, model_validator
from torch import Tensor


class NoiseSettings(BaseModel, frozen=True, extra="forbid", use_attribute_docstrings=True):
    """Stable Diffusion's schedule; the betas grow linearly in their square roots (scaled_linear)."""

    prediction: Literal["epsilon", "v_prediction"] = "epsilon"
    """What the denoiser predicts: the noise (the paper's), or the velocity a e - s z."""
    zero_snr: bool = False
    """The last level is noise alone, and sampling starts there; needs v_prediction: noise says nothing of
    the picture at that level."""
    beta_start: PositiveFloat = 0.00085
    """First beta."""
    beta_end: PositiveFloat = 0.012
    """Last beta."""
    levels: PositiveInt = 1000
    """Noise levels."""

    @model_validator(mode="after")
    def _defined_at_all_levels(self) -> Self:
        if self.zero_snr and self.prediction != "v_prediction":
            raise ValueError("zero_snr needs prediction v_prediction: there is no picture in the last level")
        return self


def noise_schedule(settings: NoiseSettings) -> DDIMScheduler:
    """The schedule, for training and for sampling."""
    return DDIMScheduler(
        num_train_timesteps=settings.levels,
        beta_start=settings.beta_start,
        beta_end=settings.beta_end,
        beta_schedule="scaled_linear",
        prediction_type=settings.prediction,
        rescale_betas_zero_snr=settings.zero_snr,
        timestep_spacing="trailing",  # sampling starts at the last level, whatever the number of steps
        set_alpha_to_one=True,  # and ends at the clean latents
        clip_sample=False,  # latents have no range
    )


def add_noise(schedule: DDIMScheduler, clean: Tensor, noise: Tensor, level: Tensor) -> Tensor:
    """z_t = a z_0 + s e: clean and noise (B, ...), level (B,)."""
    return cast(Tensor, cast(Any, schedule).add_noise(clean, noise, level))


def loss_target(schedule: DDIMScheduler, clean: Tensor, noise: Tensor, level: Tensor) -> Tensor:
    """What the denoiser should say: e, or v = a e - s z_0; shapes as in add_noise."""
    if cast(Any, schedule).config.prediction_type == "epsilon":
        return noise
    return cast(Tensor, cast(Any, schedule).get_velocity(clean, noise, level))
