"""Checks of the arguments of the pipelines, before any network runs; every error names the argument."""

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
"""Argument -> number of channels (None = no channel axis) and smallest value; the largest value is 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureArguments:
    """Picture arguments of a call; None = not given."""

    reference: Pictures
    image: Pictures
    depth: Pictures
    mask_rgb: Pictures
    mask_depth: Pictures

    @property
    def given(self) -> dict[str, Tensor]:
        """The pictures that are given, by the name of the argument."""
        named = ((name, getattr(self, name)) for name in KINDS)
        return {name: value for name, value in named if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestChecks:
    """Checks of the arguments of a call."""

    side_px: int
    """Height and width of samples if no argument determines them."""
    factor: int
    """Pixels along the side of a latent."""

    def check(self, arguments: PictureArguments, *, samples: int, takes_given: bool) -> int:
        """Check the pictures and return the number of samples B.

        Raises:
            TypeError: an argument is no tensor; names it.
            ValueError: an argument has a wrong shape, type or value; names it.
        """
        given = arguments.given
        inputs = [name for name in given if name != "reference"]
        if inputs and not takes_given:
            raise ValueError(
                f"{inputs[0]}: this denoiser samples RGB and depth together (8 input channels) and takes "
                "neither as input; load the pipeline of the inpaint stage"
            )
        for name, value in given.items():
            self._check_picture(name, value)
        for mask, picture in (("mask_rgb", "image"), ("mask_depth", "depth")):
            if mask in given and picture not in given and bool((given[mask] == 0).any()):
                raise ValueError(f"{mask}: it has zeros (given), and there is no {picture}")
        return self._batch(given, samples)

    def check_numbers(
        self,
        arguments: PictureArguments,
        *,
        steps: int,
        guidance_scale: float,
        generator: Generator | list[Generator] | None,
        batch: int,
    ) -> None:
        """Raise ValueError if a number or the generators are wrong; names the argument."""
        self.check_steps(steps)
        self.check_scale("guidance_scale", guidance_scale)
        if guidance_scale != 1 and arguments.reference is None:
            raise ValueError(f"guidance_scale is {guidance_scale}, and there is no reference to guide by")
        if isinstance(generator, list) and len(generator) != batch:
            raise ValueError(f"generator: {len(generator)} of them for {batch} samples")

    def check_portrait(self, reference: Tensor) -> None:
        """Raise TypeError or ValueError unless the reference is one picture."""
        self._check_picture("reference", reference)
        if len(reference) != 1:
            raise ValueError(f"reference: {len(reference)} pictures, need one: a clip has one speaker")

    def check_steps(self, num_inference_steps: int) -> None:
        """Raise ValueError unless the steps are 1 .. LEVELS: each step needs a noise level of its own."""
        if not 1 <= num_inference_steps <= LEVELS:
            raise ValueError(f"num_inference_steps is {num_inference_steps}, need 1 .. {LEVELS}")

    def check_scale(self, name: str, scale: float) -> None:
        """Raise ValueError unless the guidance scale is finite and not negative."""
        if not (isfinite(scale) and scale >= 0):
            raise ValueError(f"{name} is {scale}, need a finite number from 0 on")

    def depth_range(self, *, near_m: float | None, far_m: float | None) -> DepthRange | None:
        """Depth range of the codes; None if neither end is given.

        Raises:
            ValueError: only one end is given, or near is not nearer than far.
        """
        if near_m is None and far_m is None:
            return None
        if near_m is None or far_m is None:
            raise ValueError("near_m and far_m: give both or neither")
        try:
            return DepthRange(near_m=near_m, far_m=far_m)
        except ValueError as wrong:
            raise ValueError(f"near_m and far_m: {wrong}") from None

    def size(self, arguments: PictureArguments) -> tuple[int, int]:
        """Height and width of the samples."""
        for picture in arguments.given.values():
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

    def _batch(self, given: dict[str, Tensor], samples: int) -> int:
        """Number of samples B: all pictures have B, masks B or 1."""
        if samples < 1:
            raise ValueError(f"samples is {samples}, need at least 1")
        if not given:
            return samples
        first = next(iter(given))
        batch = max(len(value) for value in given.values())
        if samples not in (1, batch):
            raise ValueError(
                f"samples is {samples}, {first} has {batch}; leave samples out, or repeat {first}"
            )
        for name, value in given.items():
            if value.shape[-2:] != given[first].shape[-2:]:
                raise ValueError(
                    f"{name}: {tuple(value.shape[-2:])} px, {first} has {tuple(given[first].shape[-2:])}"
                )
            if len(value) != batch and not (name.startswith("mask") and len(value) == 1):
                raise ValueError(f"{name}: {len(value)} samples, another argument has {batch}")
        return batch


def _check_tensor(name: str, value: object, wanted: str) -> None:
    """Raise TypeError unless the value is a tensor.

    PIL images and numpy arrays have other axes and ranges, so that a silent conversion could be wrong.
    """
    if not isinstance(value, Tensor):
        raise TypeError(f"{name}: {type(value).__name__}, need a torch.Tensor {wanted}")


def framed_speech(speech: Tensor) -> NDArray[np.int16]:
    """Convert speech (S,) in [-1, 1] to 16 bit, cut or padded with silence to whole video frames.

    Raises:
        TypeError: speech is no tensor.
        ValueError: speech has a wrong shape, type or value, or is shorter than half a frame.
    """
    _check_tensor("speech", speech, "(S,), floats in [-1, 1], 16 kHz mono")
    if speech.ndim != 1 or not speech.is_floating_point():
        raise ValueError(
            f"speech: {speech.dtype} of shape {tuple(speech.shape)}, need floats (S,), 16 kHz mono"
        )
    frames = round(len(speech) / SAMPLES_PER_FRAME)
    if not frames:
        raise ValueError(
            f"speech: {len(speech)} samples are less than half a frame; a frame has {SAMPLES_PER_FRAME} "
            "samples at 16 kHz"
        )
    least, most = (float(end) for end in torch.aminmax(speech))
    if not (least >= -1 and most <= 1):  # NaN fails both
        raise ValueError("speech: values outside [-1, 1], or NaN; divide 16 bit samples by 32768")
    # The training read 16-bit sound in whole frames, so that the speech network sees the same kind of input.
    whole = torch.zeros(frames * SAMPLES_PER_FRAME)
    kept = speech[: len(whole)].float().cpu()
    whole[: len(kept)] = kept
    return whole.mul_(32767).round_().to(torch.int16).numpy()


def broadcast_mask(mask: Pictures, *, is_given: bool, batch: int, size: tuple[int, int]) -> Tensor:
    """Binary mask (B, H, W), 1 = sample; without a mask, everything is sampled or, if given, nothing.

    Every pixel above 0 is sampled, so that soft edges of a mask belong to it.
    """
    if mask is None:
        return torch.full((batch, *size), 0.0 if is_given else 1.0)
    return (mask > 0).float().expand(batch, -1, -1)
