"""Small pictures of the face box, all that the photometric stage keeps of a clip's frames."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rendering.fitting.settings import PhotometricSettings

BOX_MARGIN = 0.12
"""The box reaches this far beyond the landmarks, as a part of the face's width."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceBox:
    """The box of a clip, the same in all frames, in crop pixels, and the reduction of its pictures."""

    left: int
    top: int
    right: int
    bottom: int
    reduction: int
    """Crop pixels per patch pixel, along each axis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patches:
    """Blurred pictures of the face box."""

    images: NDArray[np.uint8]
    """Grey pictures of all frames, (N, h, w)."""
    colors: NDArray[np.uint8]
    """RGB pictures of some frames, (C, 3, h, w)."""
    color_frames: NDArray[np.intp]
    """Indices of the frames with colour, ascending, (C,)."""
    box: FaceBox


def face_box(landmarks: NDArray[np.float32], *, width: int, height: int, face_px: int) -> FaceBox:
    """The box around the landmarks (N, 478, >=2) crop px of nearly all frames.

    One per cent of the frames may reach beyond each side. Pictures are reduced until the median face is at
    most face_px wide.
    """
    low, high = landmarks[:, :, :2].min(axis=1), landmarks[:, :, :2].max(axis=1)
    side = float(np.median(high - low, axis=0)[0])
    reduction = max(1, int(np.ceil(side / face_px)))
    first, last = np.percentile(low, 1, axis=0), np.percentile(high, 99, axis=0)
    reach = BOX_MARGIN * side
    left, top = np.clip(np.floor(first - reach), 0, (width - 8, height - 8)).astype(int)
    right, bottom = np.clip(np.ceil(last + reach), (left + 8, top + 8), (width, height)).astype(int)
    return FaceBox(
        left=int(left),
        top=int(top),
        # The box covers a whole number of patch pixels.
        right=int(left + (right - left) // reduction * reduction),
        bottom=int(top + (bottom - top) // reduction * reduction),
        reduction=reduction,
    )


def collect_patches(
    frames: Iterable[NDArray[np.uint8]],
    landmarks: NDArray[np.float32],
    *,
    width: int,
    height: int,
    settings: PhotometricSettings,
) -> Patches:
    """Cut and reduce RGB frames (H, W, 3), one at a time.

    Raises:
        ValueError: there are fewer frames than frames of landmarks.
    """
    box = face_box(landmarks, width=width, height=height, face_px=settings.face_px)
    count = len(landmarks)
    shape = ((box.bottom - box.top) // box.reduction, (box.right - box.left) // box.reduction)
    color_frames = np.unique(np.linspace(0, count - 1, min(count, settings.color_frames)).astype(np.intp))
    images = np.empty((count, *shape), np.uint8)
    colors = np.empty((len(color_frames), 3, *shape), np.uint8)
    seen = 0
    for frame, image in zip(range(count), frames, strict=False):
        small = _reduce(image, box, blur_px=settings.blur_px)
        images[frame] = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        slot = np.searchsorted(color_frames, frame)
        if color_frames[slot] == frame:
            colors[slot] = small.transpose(2, 0, 1)
        seen += 1
    if seen < count:
        raise ValueError(
            f"{seen} frames for {count} frames of landmarks; crop video and landmarks must agree"
        )
    return Patches(images=images, colors=colors, color_frames=color_frames, box=box)


def _reduce(frame: NDArray[np.uint8], box: FaceBox, *, blur_px: float) -> NDArray[np.uint8]:
    """The face box of a frame (H, W, 3) as a small blurred picture (h, w, 3)."""
    cut = frame[box.top : box.bottom, box.left : box.right]
    size = (cut.shape[1] // box.reduction, cut.shape[0] // box.reduction)
    # INTER_AREA averages and so avoids aliasing; the blur widens the reach of image gradients.
    small = cv2.resize(cut, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(small, (0, 0), blur_px), dtype=np.uint8)
