"""The arguments of the pipelines, checked once at the door; every error names the argument."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from model.networks.noise_schedule import LEVELS
from model.networks.speech import SAMPLES_PER_FRAME
from model.samples.depth_code import DepthRange

Pictures = Tensor | None
KINDS = {
    "reference": (3, 0.0),
    "image": (3, 0.0),
    "depth": (None, -1.0),
    "mask_rgb": (None, 0.0),
    "mask_depth": (None, 0.0),
}
"""Argument -> channels, None = no such axis, and the least value; the largest is 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureArguments:
    """Pictures that a call was asked with, None where there is none."""

    reference: Pictures
    image: Pictures
    depth: Pictures
    mask_rgb: Pictures
    mask_depth: Pictures

    @property
    def held(self) -> dict[str, Tensor]:
        """Those that there are, by argument."""
        named = ((name, getattr(self, name)) for name in KINDS)
        return {name: value for name, value in named if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestChecks:
    """What the pictures of a pipeline have to be like."""

    side_px: int
    """Of pictures where no argument says it."""
    factor: int
    """Picture pixels of a latent's side."""

    def check(self, asked: PictureArguments, *, samples: int, takes_given: bool) -> int:
        """Samples of the batch.

        Raises:
            TypeError: names the argument that is no tensor.
            ValueError: names the argument.
        """
        held = asked.held
        given = [name for name in held if name != "reference"]
        if given and not takes_given:
            raise ValueError(
                f"{given[0]}: this denoiser makes RGB and depth together (8 input channels) and takes "
                "nothing given; load the pipeline of the inpaint stage"
            )
        for name, value in held.items():
            self._check_picture(name, value)
        for mask, picture in (("mask_rgb", "image"), ("mask_depth", "depth")):
            if mask in held and picture not in held and bool((held[mask] == 0).any()):
                raise ValueError(f"{mask}: it has zeros (given), and there is no {picture}")
        return self._batch(held, samples)

    def check_numbers(
        self,
        asked: PictureArguments,
        *,
        steps: int,
        guidance_scale: float,
        generator: Generator | list[Generator] | None,
        batch: int,
    ) -> None:
        """Raise ValueError, naming the argument."""
        self.check_steps(steps)
        self.check_scale("guidance_scale", guidance_scale)
        if guidance_scale != 1 and asked.reference is None:
            raise ValueError(f"guidance_scale is {guidance_scale}, and there is no reference to guide by")
        if isinstance(generator, list) and len(generator) != batch:
            raise ValueError(f"generator: {len(generator)} of them for {batch} samples")

    def check_portrait(self, reference: Tensor) -> None:
        """Raise TypeError or ValueError unless it is one picture."""
        self._check_picture("reference", reference)
        if len(reference) != 1:
            raise ValueError(f"reference: {len(reference)} pictures, need one: a clip has one speaker")

    def check_steps(self, num_inference_steps: int) -> None:
        """Raise ValueError unless there are some, and a noise level for each."""
        if not 1 <= num_inference_steps <= LEVELS:
            raise ValueError(f"num_inference_steps is {num_inference_steps}, need 1 .. {LEVELS}")

    def check_scale(self, name: str, scale: float) -> None:
        """Raise ValueError unless guidance by it is defined."""
        if not (isfinite(scale) and scale >= 0):
            raise ValueError(f"{name} is {scale}, need a finite number from 0 on")

    def depth_range(self, *, near_m: float | None, far_m: float | None) -> DepthRange | None:
        """What the codes stand for; None where neither is given."""
        if near_m is None and far_m is None:
            return None
        if near_m is None or far_m is None:
            raise ValueError("near_m and far_m: give both or neither")
        try:
            return DepthRange(near_m=near_m, far_m=far_m)
        except ValueError as wrong:
            raise ValueError(f"near_m and far_m: {wrong}") from None

    def size(self, asked: PictureArguments) -> tuple[int, int]:
        """Height and width."""
        for picture in asked.held.values():
            return int(picture.shape[-2]), int(picture.shape[-1])
        return self.side_px, self.side_px

    def _check_picture(self, name: str, value: Tensor) -> None:
        channels, low = KINDS[name]
        wanted = "(B, H, W)" if channels is None else f"(B, {channels}, H, W)"
        _check_tensor(name, value, f"{wanted}, floats in [{low:g}, 1]")
        fits = value.ndim == (3 if channels is None else 4)
        if not fits or (channels is not None and value.shape[1] != channels) or not len(value):
            raise ValueError(f"{name}: shape {tuple(value.shape)}, need {wanted}")
        if not value.is_floating_point():
            raise ValueError(f"{name}: {value.dtype}, need floats in [{low:g}, 1]")
        if any(side % self.factor for side in value.shape[-2:]):
            raise ValueError(
                f"{name}: {tuple(value.shape[-2:])} px, need multiples of {self.factor} in height and width"
            )
        least, most = (float(end) for end in torch.aminmax(value))
        if not (low <= least and most <= 1):  # NaN fails both
            raise ValueError(f"{name}: values {least:g} .. {most:g}, need [{low:g}, 1]")

    def _batch(self, held: dict[str, Tensor], samples: int) -> int:
        if samples < 1:
            raise ValueError(f"samples is {samples}, need at least 1")
        if not held:
            return samples
        first = next(iter(held))
        batch = max(len(value) for value in held.values())
        if samples not in (1, batch):
            raise ValueError(f"samples is {samples}, {first} says {batch}; leave it out, or repeat {first}")
        for name, value in held.items():
            if value.shape[-2:] != held[first].shape[-2:]:
                raise ValueError(
                    f"{name}: {tuple(value.shape[-2:])} px, {first} has {tuple(held[first].shape[-2:])}"
                )
            if len(value) != batch and not (name.startswith("mask") and len(value) == 1):
                raise ValueError(f"{name}: {len(value)} samples, another argument has {batch}")
        return batch


def _check_tensor(name: str, value: object, wanted: str) -> None:
    """Pictures of PIL and arrays of numpy have other axes and ranges: they are not converted silently."""
    if not isinstance(value, Tensor):
        raise TypeError(f"{name}: {type(value).__name__}, need a torch.Tensor {wanted}")


def framed_speech(speech: Tensor) -> NDArray[np.int16]:
    """Speech (S,) in [-1, 1] as the speech network hears it: 16 bit, cut or with silence to whole frames.

    Raises:
        TypeError: it is no tensor.
        ValueError: names the argument.
    """
    _check_tensor("speech", speech, "(S,), floats in [-1, 1], 16 kHz mono")
    if speech.ndim != 1 or not speech.is_floating_point():
        raise ValueError(
            f"speech: {speech.dtype} of shape {tuple(speech.shape)}, need floats (S,), 16 kHz mono"
        )
    frames = round(len(speech) / SAMPLES_PER_FRAME)
    if not frames:
        raise ValueError(
            f"speech: {len(speech)} samples are no frame; 16 kHz has {SAMPLES_PER_FRAME} a frame"
        )
    least, most = (float(end) for end in torch.aminmax(speech))
    if not (least >= -1 and most <= 1):  # NaN fails both
        raise ValueError("speech: values outside [-1, 1], or NaN; divide 16 bit samples by 32768")
    whole = torch.zeros(frames * SAMPLES_PER_FRAME)
    kept = speech[: len(whole)].float().cpu()
    whole[: len(kept)] = kept
    return whole.mul_(32767).round_().to(torch.int16).numpy()


def broadcast_mask(mask: Pictures, *, is_given: bool, batch: int, size: tuple[int, int]) -> Tensor:
    """(B, H, W), 1 = make: the mask, or all or nothing where there is none; what is touched is made."""
    if mask is None:
        return torch.full((batch, *size), 0.0 if is_given else 1.0)
    return (mask > 0).float().expand(batch, -1, -1)
