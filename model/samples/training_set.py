"""Training samples from a dataset version: pairs of target and reference, and windows of talking clips.

Whatever is random in a sample comes from the generator of its Draw, in a fixed order, so a draw gives
the same sample on every machine.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from pydantic import PositiveInt
from torch import Tensor
from torch.utils.data import Dataset

from model.samples.sample_order import Draw
from model.settings import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipFacts:
    """Facts of a clip by which samples are chosen."""

    clip_id: str
    kind: Literal["studio", "wild"]
    subject_id: str
    frames: int
    has_speech: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Latents:
    """Frames of a clip in the VAE's latent space, float32."""

    rgb: Tensor
    """(F, 4, h, w), scaled to about unit variance."""
    depth: Tensor
    """(F, 4, h, w), scaled like rgb."""
    mask: Tensor
    """(F, h, w), share of skin, 0..1."""


class ClipReader(Protocol):
    """An opened dataset version; clips are named by their index."""

    @property
    def root(self) -> str:
        """Merkle root of the version; the sample order depends on it."""
        ...

    @property
    def clips(self) -> Sequence[ClipFacts]:
        """All clips, in an order that depends on the version alone."""
        ...

    def latents(self, clip: int, *, first: int, count: int) -> Latents:
        """Latents of frames first .. first + count."""
        ...

    def speech(self, clip: int, *, first: int, count: int) -> Tensor:
        """Speech features of frames first .. first + count, (count, layers, D) float32."""
        ...


class WindowLength(Record):
    """Lengths of a motion sample, in frames."""

    frames: PositiveInt = 14
    """Frames of a training window, motion frames included (paper 5.1)."""
    num_motion_frames: PositiveInt = 4
    """Motion frames: the first frames of a window, which stay clean and precede the generated ones."""
    speech: PositiveInt = 5
    """Frames of speech features around each frame, itself in the middle; odd."""


Sample = dict[str, Tensor]
"""Tensors by name, without the batch; torch's default collation makes batches of them."""


class PairSet(Dataset[Sample]):
    """Single frames with a reference of the same person, for the joint and the inpaint stage (paper 3.2).

    A sample has rgb and depth (4, h, w), mask (h, w) 0..1, reference (4, h, w) = RGB latents of another
    frame, and seed () int64: of the sample's own noise, levels, masks and dropout.
    """

    def __init__(self, reader: ClipReader) -> None:
        self._reader = reader
        self._stills: dict[str, list[int]] = defaultdict(list)
        for index in self.clips("studio"):
            self._stills[reader.clips[index].subject_id].append(index)

    def clips(self, kind: Literal["studio", "wild"]) -> list[int]:
        """Indices of the clips of one kind, for SampleOrder."""
        return [index for index, clip in enumerate(self._reader.clips) if clip.kind == kind]

    def __getitem__(self, draw: Draw) -> Sample:
        """The sample that a draw stands for."""
        generator = draw.generator()
        frame = _choose(self._reader.clips[draw.clip].frames, generator)
        target = self._reader.latents(draw.clip, first=frame, count=1)
        other_clip, other_frame = self._reference(draw.clip, frame, generator)
        reference = self._reader.latents(other_clip, first=other_frame, count=1)
        return {
            "rgb": target.rgb[0],
            "depth": target.depth[0],
            "mask": target.mask[0],
            "reference": reference.rgb[0],
            "seed": _seed(generator),
        }

    def _reference(self, clip: int, frame: int, generator: torch.Generator) -> tuple[int, int]:
        """Clip and frame of the reference: another frame of a video, another still, or else the same."""
        facts = self._reader.clips[clip]
        if facts.frames > 1:
            other = _choose(facts.frames - 1, generator)
            # skip the target: numbers from `frame` on move up by one
            return clip, other + (other >= frame)
        stills = [index for index in self._stills[facts.subject_id] if index != clip]
        if not stills:
            return clip, frame
        chosen = stills[_choose(len(stills), generator)]
        return chosen, _choose(self._reader.clips[chosen].frames, generator)


class WindowSet(Dataset[Sample]):
    """Windows of wild clips with sound, for the motion stage.

    A sample has rgb and depth (F, 4, h, w), mask (F, h, w) 0..1, reference (4, h, w), speech
    (F, k, layers, D) and seed () int64; its first `num_motion_frames` are the motion frames.
    """

    def __init__(self, reader: ClipReader, *, length: WindowLength) -> None:
        self._reader, self._length = reader, length

    def clips(self) -> list[int]:
        """Indices of the clips that are long enough and have speech, for SampleOrder(wild=...)."""
        return [
            index
            for index, clip in enumerate(self._reader.clips)
            if clip.kind == "wild" and clip.has_speech and clip.frames >= self._length.frames
        ]

    def __getitem__(self, draw: Draw) -> Sample:
        """The sample that a draw stands for."""
        generator = draw.generator()
        count, total = self._length.frames, self._reader.clips[draw.clip].frames
        first = _choose(total - count + 1, generator)
        window = self._reader.latents(draw.clip, first=first, count=count)
        reference = self._reader.latents(
            draw.clip, first=_outside(first, count, total=total, generator=generator), count=1
        )
        # speech windows reach beyond the sample; at the ends of the clip they repeat its last frames
        reach = self._length.speech // 2
        start, end = max(first - reach, 0), min(first + count + reach, total)
        speech = self._reader.speech(draw.clip, first=start, count=end - start)
        return {
            "rgb": window.rgb,
            "depth": window.depth,
            "mask": window.mask,
            "reference": reference.rgb[0],
            "speech": speech_windows(speech, first=first - start, count=count, window=self._length.speech),
            "seed": _seed(generator),
        }


def speech_windows(features: Tensor, *, first: int, count: int, window: int) -> Tensor:
    """Windows of speech features centred on frames first .. first + count (paper 7.1).

    At the ends of the clip its first and last frame are repeated: silence would be a sound of its own.

    Args:
        features: of the whole clip, (N, layers, D).
        first: frame of the first window.
        count: windows.
        window: frames of a window, odd.

    Returns:
        (count, window, layers, D).

    Raises:
        ValueError: the window is even, or the frames are not in the clip.
    """
    if window % 2 == 0:
        raise ValueError(f"speech window of {window} frames has no middle; take an odd number")
    if not 0 <= first <= first + count <= len(features):
        raise ValueError(f"frames {first} .. {first + count} of a clip of {len(features)}")
    # (count, window) frame numbers, clamped to the clip
    middles = torch.arange(first, first + count)[:, None]
    frames = middles + torch.arange(window) - window // 2
    return features[frames.clamp(0, len(features) - 1)]


def _outside(first: int, count: int, *, total: int, generator: torch.Generator) -> int:
    """Choose a frame outside the window, or any frame where the window is the whole clip."""
    if total == count:
        return _choose(total, generator)
    frame = _choose(total - count, generator)
    return frame + count * (frame >= first)


def _choose(count: int, generator: torch.Generator) -> int:
    return int(torch.randint(count, (), generator=generator))


def _seed(generator: torch.Generator) -> Tensor:
    return torch.randint(2**62, (), generator=generator)
