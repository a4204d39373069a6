"""Follow the main face of a clip in one pass: its landmarks, and what tells whether a frame can be used."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from model.settings import Settings
from rendering.face_model import LANDMARKS
from tasks.faces.boxes import Box, area, center, landmark_box, needs_new_window, overlap, window_around
from tasks.faces.clip_parts import frame_signature, signature_distance

if TYPE_CHECKING:
    from tasks.faces.face_landmarker import FaceLandmarker, LandmarkedFace

_WINDOW_SCALE = 2.0
"""Side of the search window, in face sizes: the near detector wants a face that fills half of its picture."""
_SAME_FACE = 0.2
"""Smallest overlap of a face with itself in the next frame; two faces side by side do not overlap."""

Frame = NDArray[np.uint8]


class FollowSettings(Settings):
    """How the main face is detected, and how often the whole frame is searched."""

    confidence: float = Field(default=0.5, gt=0, lt=1)
    """Lowest detector score that counts as a face."""
    look_every: int = Field(default=10, ge=1)
    """Frames between two searches of the whole frame for all faces. The frame is also searched whenever the
    face is lost or the picture changes."""
    sure_score: float = Field(default=0.85, gt=0, le=1)
    """Detector score below which the face is also tried in its three other quarter turns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceSearch:
    """What was found in each of N frames; NaN where nothing was measured."""

    landmarks: NDArray[np.float32]
    """(N, 478, 3) px of the frame, z in the scale of x."""
    score: NDArray[np.float32]
    """(N,), detector score of the main face, 0..1; 0 = no face."""
    change: NDArray[np.float32]
    """(N,), histogram distance to the previous frame, 0..1."""
    rival: NDArray[np.float32]
    """(N,), area of the largest other face relative to the main face; NaN if only the window was searched."""
    frame_size: tuple[int, int]
    """(width, height) of the frames, px."""
    turned: NDArray[np.float32]
    """(N,), 1 if the face scores better in another quarter turn, 0 if not; NaN if this was not tried."""


@dataclass(slots=True)
class _FrameResult:
    face: LandmarkedFace | None = None
    change: float = 0.0
    rival: float = float("nan")
    turned: float = float("nan")


def follow_face(
    frames: Iterable[Frame], landmarker: FaceLandmarker, *, settings: FollowSettings, picture_change: float
) -> FaceSearch:
    """Follow the main face: the largest face when it is first found, afterwards the one that overlaps it.

    Args:
        frames: (H, W, 3) uint8, one at a time.
        landmarker: a detector that is used for this clip only.
        settings: thresholds and intervals.
        picture_change: histogram distance above which the main face is chosen anew.
    """
    results: list[_FrameResult] = []
    follower = _Follower(landmarker, settings)
    signature, frame_size = None, (0, 0)
    for index, frame in enumerate(frames):
        now = frame_signature(frame)
        change = 0.0 if signature is None else signature_distance(signature, now)
        signature = now
        whole, fresh = index % settings.look_every == 0, change > picture_change
        results.append(follower.look(frame, whole=whole, fresh=fresh))
        results[-1].change = change
        frame_size = (frame.shape[1], frame.shape[0])
    # NaN and not 0: a frame without a face must not pass for landmarks in the corner
    missing = np.full((LANDMARKS, 3), np.nan, np.float32)
    return FaceSearch(
        landmarks=np.array([one.face.landmarks if one.face else missing for one in results], np.float32),
        score=np.array([one.face.score if one.face else 0.0 for one in results], np.float32),
        change=np.array([one.change for one in results], np.float32),
        rival=np.array([one.rival for one in results], np.float32),
        frame_size=frame_size,
        turned=np.array([one.turned for one in results], np.float32),
    )


class _Follower:
    """Box and search window of the main face, carried from frame to frame."""

    def __init__(self, landmarker: FaceLandmarker, settings: FollowSettings) -> None:
        self._landmarker = landmarker
        self._settings = settings
        self._box: Box | None = None
        self._window: Box | None = None

    def look(self, frame: Frame, *, whole: bool, fresh: bool) -> _FrameResult:
        """Find the landmarks of the main face; if it is lost, search the whole frame once more.

        Args:
            frame: (H, W, 3) uint8.
            whole: search the whole frame for all faces.
            fresh: forget the main face, since the picture may show somebody else.
        """
        result = _FrameResult()
        if fresh:
            self._forget()
        linked = self._box is not None
        if whole or not linked:
            result.rival = self._search(frame)
        result.face = self._mesh(frame)
        if result.face is None and linked:
            # it may only have left its window, for example in a jump of a hand-held camera
            self._forget()
            result.rival = self._search(frame)
            result.face = self._mesh(frame)
        if result.face is None or self._window is None:
            self._forget()
            return result
        # four more detections: only in frames that were searched whole, and only if the score leaves a doubt
        if np.isfinite(result.rival) and result.face.score < self._settings.sure_score:
            result.turned = float(not self._landmarker.upright(frame, self._window))
        self._follow(landmark_box(result.face.landmarks), frame)
        return result

    def _forget(self) -> None:
        self._box = self._window = None

    def _search(self, frame: Frame) -> float:
        """Find all faces; the largest becomes the main face if there is none.

        Returns:
            Area of the largest other face relative to the main face; NaN without a main face.
        """
        boxes = [face.box for face in self._landmarker.find(frame)]
        if self._box is None and boxes:
            self._box = boxes[0]
            self._window = window_around(self._box, scale=_WINDOW_SCALE)
        main = self._box
        if main is None:
            return float("nan")
        return max((area(box) / area(main) for box in boxes if overlap(box, main) < _SAME_FACE), default=0.0)

    def _mesh(self, frame: Frame) -> LandmarkedFace | None:
        """The face in the window that overlaps the last box of the main face most, or None."""
        main = self._box
        if main is None or self._window is None:
            return None
        faces = self._landmarker.landmarks(frame, self._window)
        overlaps = [overlap(landmark_box(face.landmarks), main) for face in faces]
        if max(overlaps, default=0.0) < _SAME_FACE:
            return None
        return faces[int(np.argmax(overlaps))]

    def _follow(self, box: Box, frame: Frame) -> None:
        """Move on to the new box; a face whose centre has left the frame is given up."""
        x, y = center(box)
        height, width = frame.shape[:2]
        if not (0 <= x <= width and 0 <= y <= height):
            self._forget()
            return
        self._box = box
        if self._window is None or needs_new_window(self._window, box, scale=_WINDOW_SCALE):
            self._window = window_around(box, scale=_WINDOW_SCALE)
