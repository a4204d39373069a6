"""MediaPipe behind one small class: find faces of any size, then the 478 landmarks of one of them.

Everything runs in image mode, so that the result of a frame does not depend on earlier frames (in video mode,
MediaPipe answers the same picture differently from call to call). The models are those of the wheel; a
`face_landmarker.task` file, if given, replaces the landmark model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import cv2
import mediapipe
import numpy as np
from mediapipe.python.solution_base import SolutionBase
from mediapipe.python.solutions import face_detection
from numpy.typing import NDArray

from tasks.faces.boxes import Box, overlap

_MESH_GRAPH = "mediapipe/modules/face_landmark/face_landmark_front_cpu.binarypb"
_MESH_THRESHOLDS = (
    "facedetectionshortrangecpu__facedetectionshortrange__facedetection__TensorsToDetectionsCalculator"
    ".min_score_thresh",
    "facelandmarkcpu__ThresholdingCalculator.threshold",
)
# One landmark of a serialised NormalizedLandmarkList: field, length and the tag of x (one byte each), then x,
# the tag of y, y, the tag of z and z.
_POINT = np.dtype([("", "V3"), ("x", "<f4"), ("", "V1"), ("y", "<f4"), ("", "V1"), ("z", "<f4")])
# Pictures are shrunk to between one and two times these sizes. The face finder works at 192 px; the mesh
# works on 3/4 of the window at 192 px.
_FINDER_SIDE_PX = 384
_MESH_SIDE_PX = 256
_NEAR_MODEL, _FAR_MODEL = 0, 1
"""MediaPipe's `model_selection`: faces within about 2 m, and within about 5 m."""

Frame = NDArray[np.uint8]
Faces = list["LandmarkedFace"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFace:
    """A detected face: box in px and score 0..1."""

    box: Box
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LandmarkedFace:
    """A face with its landmarks."""

    landmarks: NDArray[np.float32]
    """(478, 3) px of the full frame, z in the scale of x."""
    score: float
    """Detector score, 0..1."""


class FaceLandmarker:
    """The detectors of one clip; use it as a context manager and create a new one for each clip."""

    def __init__(self, task_file: Path | None = None, *, confidence: float = 0.5) -> None:
        self._far = face_detection.FaceDetection(
            model_selection=_FAR_MODEL, min_detection_confidence=confidence
        )
        self._near = face_detection.FaceDetection(
            model_selection=_NEAR_MODEL, min_detection_confidence=confidence
        )
        self._mesh: _TaskMesh | _WheelMesh
        if task_file is None:
            self._mesh = _WheelMesh(confidence)
            self.name = f"mediapipe {mediapipe.__version__} FaceMesh"
        else:
            self._mesh = _TaskMesh(task_file, confidence, self._near)
            self.name = f"mediapipe {mediapipe.__version__} FaceLandmarker task"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for part in (self._far, self._near, self._mesh):
            part.close()

    def find(self, frame: Frame) -> list[FoundFace]:
        """All faces of a frame, including distant ones, largest first; boxes in px of the frame."""
        small, scale = _shrunk(frame, _FINDER_SIDE_PX)
        faces = [FoundFace(box=face.box * scale, score=face.score) for face in _detections(self._far, small)]
        return sorted(faces, key=lambda face: float(face.box[2] - face.box[0]), reverse=True)

    def landmarks(self, frame: Frame, window: Box) -> Faces:
        """The faces in a square window, which may leave the frame; landmarks in px of the frame."""
        cut, scale = _cut(frame, window)
        offset = np.array([window[0], window[1], 0.0], np.float32)
        return [replace(face, landmarks=face.landmarks * scale + offset) for face in self._mesh(cut)]

    def upright(self, frame: Frame, window: Box) -> bool:
        """Whether the face in a window scores best as it is, compared with its three other quarter turns.

        On an upside-down head, MediaPipe still finds an upright face, but with a lower score.
        """
        cut, _ = _cut(frame, window)
        scores = []
        for turn in range(4):
            turned = np.ascontiguousarray(np.rot90(cut, turn))
            scores.append(max((face.score for face in _detections(self._near, turned)), default=0.0))
        return scores[0] >= max(scores)


class _WheelMesh:
    """The FaceMesh graph of the wheel, which also returns the detections behind its landmarks."""

    def __init__(self, confidence: float) -> None:
        self._graph = SolutionBase(
            binary_graph_path=_MESH_GRAPH,
            side_inputs={"num_faces": 2, "with_attention": True, "use_prev_landmarks": False},
            calculator_params=dict.fromkeys(_MESH_THRESHOLDS, confidence),
            outputs=["multi_face_landmarks", "face_detections"],
        )

    def __call__(self, image: Frame) -> Faces:
        result = self._graph.process(image)
        found = [_found(detection, image) for detection in result.face_detections or []]
        return _scored([read_points(face) for face in result.multi_face_landmarks or []], found, image)

    def close(self) -> None:
        self._graph.close()


class _TaskMesh:
    """The Tasks interface with the user's model file. It returns no score, so the detector is asked too."""

    def __init__(self, task_file: Path, confidence: float, detector: SolutionBase) -> None:
        vision = mediapipe.tasks.vision
        self._detector = detector
        self._task = vision.FaceLandmarker.create_from_options(
            vision.FaceLandmarkerOptions(
                base_options=mediapipe.tasks.BaseOptions(model_asset_buffer=task_file.read_bytes()),
                running_mode=vision.RunningMode.IMAGE,
                num_faces=2,
                min_face_detection_confidence=confidence,
                min_face_presence_confidence=confidence,
            )
        )

    def __call__(self, image: Frame) -> Faces:
        picture = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=image)
        result = self._task.detect(picture)
        faces = [
            np.array([(point.x, point.y, point.z) for point in face], np.float32)
            for face in result.face_landmarks
        ]
        return _scored(faces, _detections(self._detector, image), image)

    def close(self) -> None:
        self._task.close()


def read_points(face: Any) -> NDArray[np.float32]:
    """The points (N, 3) of a NormalizedLandmarkList.

    They are decoded all at once from the serialised message: to read them one by one would take a tenth of
    the time of a frame.
    """
    wire = np.frombuffer(face.SerializeToString(), _POINT)
    return np.stack([wire["x"], wire["y"], wire["z"]], axis=1)


def _scored(faces: Sequence[NDArray[np.float32]], found: list[FoundFace], image: Frame) -> Faces:
    """Normalised landmarks (N, 3) as px, each face with the score of the detection that it overlaps most."""
    height, width = image.shape[:2]
    size = np.array([width, height, width], np.float32)  # MediaPipe normalises z like x
    scored = []
    for face in faces:
        landmarks = face * size
        box = np.concatenate([landmarks[:, :2].min(axis=0), landmarks[:, :2].max(axis=0)])
        best = max(found, key=lambda one: overlap(one.box, box), default=None)
        scored.append(LandmarkedFace(landmarks=landmarks, score=best.score if best else 0.0))
    return scored


def _detections(detector: SolutionBase, image: Frame) -> list[FoundFace]:
    return [_found(detection, image) for detection in detector.process(image).detections or []]


def _found(detection: Any, image: Frame) -> FoundFace:
    box = detection.location_data.relative_bounding_box
    height, width = image.shape[:2]
    corners = np.array([box.xmin, box.ymin, box.xmin + box.width, box.ymin + box.height], np.float64)
    return FoundFace(box=corners * np.array([width, height, width, height]), score=float(detection.score[0]))


def _shrunk(frame: Frame, least_px: int) -> tuple[Frame, int]:
    """(frame averaged over square blocks, side of a block); the longer side stays at least `least_px`.

    Whole blocks are several times faster than other scales, and MediaPipe resamples anyway.
    """
    block = max(max(frame.shape[:2]) // least_px, 1)
    height, width = (side // block for side in frame.shape[:2])
    whole = np.ascontiguousarray(frame[: height * block, : width * block])
    small = cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8), block


def _cut(frame: Frame, window: Box) -> tuple[Frame, int]:
    """(shrunk content of the window, frame px per px of it); black where the window leaves the frame."""
    left, top, right, bottom = (int(edge) for edge in window)
    height, width = frame.shape[:2]
    inside = frame[max(top, 0) : min(bottom, height), max(left, 0) : min(right, width)]
    above, below = max(-top, 0), max(bottom - height, 0)
    beside_left, beside_right = max(-left, 0), max(right - width, 0)
    if above or below or beside_left or beside_right:
        bordered = cv2.copyMakeBorder(inside, above, below, beside_left, beside_right, cv2.BORDER_CONSTANT)
        inside = np.asarray(bordered, np.uint8)
    return _shrunk(inside, _MESH_SIDE_PX)
