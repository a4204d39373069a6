"""One pass over a clip's frames: the main face's landmarks and what else must be known of each frame."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from model.settings import Settings
from rendering.face_model import LANDMARKS
from tasks.faces.boxes import Box, area, landmark_box, needs_new_window, overlap, window_around
from tasks.faces.clip_parts import frame_signature, signature_distance

if TYPE_CHECKING:
    from tasks.faces.face_landmarker import FaceLandmarker, LandmarkedFace

_WINDOW_SCALE = 2.0  # the near detector wants a face that fills about half of the picture
_SAME_FACE = 0.2  # overlap from one frame to the next; two faces side by side have none

Frame = NDArray[np.uint8]


class WatchSettings(Settings):
    """How often the costly looks at the whole frame are taken."""

    confidence: float = Field(default=0.5, gt=0, lt=1)
    """Lowest detector score of a face."""
    look_every: int = Field(default=10, ge=1)
    """Frames between two searches of the whole frame for all faces (and where a face is lost or the
    picture changes)."""
    sure_score: float = Field(default=0.85, gt=0, le=1)
    """Below this detector score the face is also tried in its three other quarter turns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceSearch:
    """What was seen in each of N frames; NaN where there is nothing to tell."""

    landmarks: NDArray[np.float32]
    """(N, 478, 3) px of the frame, z in the scale of x."""
    score: NDArray[np.float32]
    """(N,), detector score 0..1; 0 = no face."""
    change: NDArray[np.float32]
    """(N,), histogram distance to the frame before, 0..1."""
    rival: NDArray[np.float32]
    """(N,), area of the largest other face / the main face's, in frames that were searched whole."""
    frame_size: tuple[int, int]
    """Width and height of the frames, px."""
    turned: NDArray[np.float32]
    """(N,), 1 where a face scores better turned, 0 where not, in frames that were tried."""


@dataclass(slots=True)
class _Seen:
    face: LandmarkedFace | None = None
    change: float = 0.0
    rival: float = float("nan")
    turned: float = float("nan")


def watch_face(
    frames: Iterable[Frame], landmarker: FaceLandmarker, *, settings: WatchSettings, picture_change: float
) -> FaceSearch:
    """Follow the main face: the largest one where it is first found, then the one that overlaps it.

    Args:
        frames: (H, W, 3) uint8, one at a time.
        landmarker: this clip's own.
        settings: see there.
        picture_change: histogram distance above which the main face is chosen anew.
    """
    seen: list[_Seen] = []
    watcher = _Watcher(landmarker, settings)
    signature, frame_size = None, (0, 0)
    for index, frame in enumerate(frames):
        now = frame_signature(frame)
        change = 0.0 if signature is None else signature_distance(signature, now)
        signature = now
        fresh = change > picture_change
        seen.append(watcher.look(frame, whole=index % settings.look_every == 0, fresh=fresh))
        seen[-1].change = change
        frame_size = (frame.shape[1], frame.shape[0])
    missing = np.full((LANDMARKS, 3), np.nan, np.float32)
    return FaceSearch(
        landmarks=np.array([one.face.landmarks if one.face else missing for one in seen], np.float32),
        score=np.array([one.face.score if one.face else 0.0 for one in seen], np.float32),
        change=np.array([one.change for one in seen], np.float32),
        rival=np.array([one.rival for one in seen], np.float32),
        frame_size=frame_size,
        turned=np.array([one.turned for one in seen], np.float32),
    )


class _Watcher:
    """The main face's box and search window, carried from frame to frame."""

    def __init__(self, landmarker: FaceLandmarker, settings: WatchSettings) -> None:
        self._landmarker = landmarker
        self._settings = settings
        self._box: Box | None = None
        self._window: Box | None = None

    def look(self, frame: Frame, *, whole: bool, fresh: bool) -> _Seen:
        """Landmarks of the main face; a lost one is looked for once more in the whole frame.

        Args:
            frame: (H, W, 3).
            whole: search the whole frame for all faces.
            fresh: whoever was the main face may be gone.
        """
        seen = _Seen()
        if fresh:
            self._box = self._window = None
        linked = self._box is not None
        if whole or not linked:
            seen.rival = self._search(frame)
        seen.face = self._mesh(frame)
        if seen.face is None and linked:
            self._box = self._window = None
            seen.rival = self._search(frame)
            seen.face = self._mesh(frame)
        if seen.face is None or self._window is None:
            self._box = self._window = None
            return seen
        if np.isfinite(seen.rival) and seen.face.score < self._settings.sure_score:
            seen.turned = float(not self._landmarker.upright(frame, self._window))
        self._follow(landmark_box(seen.face.landmarks), frame)
        return seen

    def _search(self, frame: Frame) -> float:
        """Look at all faces; take the largest as the main one where there is none.

        Returns:
            The area of the largest other face, relative to the main one's; NaN without a main face.
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
        """The face in the window that overlaps the main face's last box most."""
        main = self._box
        if main is None or self._window is None:
            return None
        faces = self._landmarker.landmarks(frame, self._window)
        overlaps = [overlap(landmark_box(face.landmarks), main) for face in faces]
        if max(overlaps, default=0.0) < _SAME_FACE:
            return None
        return faces[int(np.argmax(overlaps))]

    def _follow(self, box: Box, frame: Frame) -> None:
        middle = (box[:2] + box[2:]) / 2
        if not (0 <= middle[0] <= frame.shape[1] and 0 <= middle[1] <= frame.shape[0]):
            self._box = self._window = None
            return
        self._box = box
        if self._window is None or needs_new_window(self._window, box, scale=_WINDOW_SCALE):
            self._window = window_around(box, scale=_WINDOW_SCALE)
