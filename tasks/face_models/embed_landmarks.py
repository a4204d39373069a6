"""Find MediaPipe's 478 landmarks on any face model by running the detector on renders of the model.

A first frontal render tells where eyes, mouth and lips are. Several heads are then rendered from several
sides, and each landmark becomes a robust mean of the surface points under it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from rendering.arrays import Float32, Int32
from rendering.face_model import FaceModel
from rendering.landmarks.embedding import LandmarkEmbedding, embed_landmarks, surface_points
from rendering.landmarks.face_mesh_points import (
    IRISES,
    LEFT_EYE,
    LIPS_BETWEEN,
    LIPS_INNER,
    LIPS_OUTER,
    OUTER_LIP_PAIR,
    RIGHT_EYE,
)
from rendering.landmarks.views import (
    SKIN,
    VIEW_DISTANCE_M,
    HoleCenters,
    LandmarkView,
    head_pose,
    painted_albedo,
    render_view,
    view_camera,
)
from tasks.faces.face_landmarker import FaceLandmarker

IDENTITIES = 6
"""Heads that are rendered: the mean and five random ones."""
IDENTITY_SIGMA = 0.8
"""Standard deviation of the random identity coefficients."""
SEED = 0
POSES_DEG = ((0, 0), (-15, 0), (15, 0), (-30, 0), (30, 0), (0, -12), (0, 12), (-20, 8), (20, -8))
"""(yaw, pitch) of the views."""
OPEN_MOUTH_M = 0.022
"""Gap of the outer lips in the open-mouth views."""
MAX_OPEN_SIGMA = 4.0
"""Largest norm of the expression coefficients that open the mouth, standard deviations."""

Detect = Callable[[NDArray[np.uint8]], NDArray[Any] | None]
"""RGB image (H, W, 3) -> landmarks (478, 2) px, or None if no face is found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anatomy:
    """Vertices near the landmarks of the first, frontal render."""

    right_eye: Int32
    left_eye: Int32
    mouth: Int32
    lips: Int32
    """(2,), the middle of the upper and of the lower lip."""


@contextmanager
def image_detector() -> Iterator[Detect]:
    """MediaPipe's face mesh in image mode, in which the same image always gives the same landmarks."""
    with FaceLandmarker() as landmarker:

        def detect(image: NDArray[np.uint8]) -> NDArray[Any] | None:
            height, width = image.shape[:2]
            faces = landmarker.landmarks(image, np.array([0, 0, width, height]))
            return faces[0].landmarks[:, :2] if faces else None

        yield detect


@dataclass(frozen=True, slots=True, kw_only=True)
class PaintedHead:
    """A face model ready to be shown to the detector."""

    triangles: Int32
    """Vertex ids, (F, 3)."""
    shown: NDArray[np.intp]
    """Vertices that can carry landmarks; their middle is the middle of the picture."""
    albedo: Float32
    """Colour of each vertex, (V, 3) RGB 0..1: the model's own colours, or painted ones."""
    anatomy: Anatomy

    def view(
        self,
        vertices: Float32,
        *,
        yaw_deg: float,
        pitch_deg: float,
        distance_m: float = VIEW_DISTANCE_M,
    ) -> tuple[LandmarkView, Float32]:
        """Render head-space vertices (V, 3) m; also return them in camera space, (V, 3) m."""
        centered, camera = _centered(vertices, self.shown), view_camera(distance_m)
        posed = head_pose(centered, yaw_deg=yaw_deg, pitch_deg=pitch_deg, distance_m=distance_m)
        holes = _holes(posed, self.anatomy)
        return render_view(posed, self.triangles, self.albedo, holes, camera=camera), posed


def painted_head(
    face_model: FaceModel, *, surface: NDArray[np.bool_], albedo: Float32 | None, detect: Detect
) -> PaintedHead:
    """Find lips, brows and eyes in the frontal render of the mean face, and paint them if it has no colours.

    Args:
        face_model: the model; its own landmark arrays are not read.
        surface: (F,), triangles that may carry landmarks.
        albedo: (V, 3), RGB 0..1; None = paint lips, brows and eyes.
        detect: the landmark detector.

    Raises:
        ValueError: the detector finds no face in that render.
    """
    shown = np.unique(face_model.triangles[surface])
    frontal = head_pose(_centered(face_model.mean, shown), yaw_deg=0, pitch_deg=0)
    plain = np.full_like(frontal, SKIN)
    first = render_view(frontal, face_model.triangles, plain if albedo is None else albedo, None)
    landmarks = detect(first.image)
    if landmarks is None:
        raise ValueError(f"{face_model.name}: no face found in its frontal render; check axes and units")
    return PaintedHead(
        triangles=face_model.triangles,
        shown=shown,
        albedo=painted_albedo(landmarks, frontal) if albedo is None else albedo,
        anatomy=_anatomy(_touched(landmarks, first, face_model, surface), face_model.mean),
    )


def embed_on_renders(
    face_model: FaceModel, *, surface: NDArray[np.bool_], albedo: Float32 | None, detect: Detect
) -> LandmarkEmbedding:
    """Embed the landmarks by renders of several identities, mouth closed and open, from several sides.

    Args:
        face_model: the model; its own landmark arrays are not read.
        surface: (F,), triangles that may carry landmarks.
        albedo: (V, 3), RGB 0..1; None = paint lips, brows and eyes where the detector finds them.
        detect: the landmark detector.

    Raises:
        ValueError: the detector finds no face in the frontal render of the mean or in most of the views,
            or the expressions of the model cannot open its mouth.
    """
    head = painted_head(face_model, surface=surface, albedo=albedo, detect=detect)
    observed = list(_observe(face_model, head, surface=surface, detect=detect))
    if len(observed) < IDENTITIES * len(POSES_DEG):
        views = 2 * IDENTITIES * len(POSES_DEG)
        raise ValueError(f"{face_model.name}: face found in {len(observed)} of {views} renders, need half")
    points = np.stack(observed)
    points[:, list(IRISES)] = np.nan  # eyes turn in their sockets
    return embed_landmarks(points, face_model.mean, face_model.triangles, surface)


def _observe(
    face_model: FaceModel, head: PaintedHead, *, surface: NDArray[np.bool_], detect: Detect
) -> Iterator[Float32]:
    """Surface points (478, 3) m of each view in which a face is found; NaN where there is no surface."""
    opened = _open_mouth(face_model, head.anatomy)
    lips = list(LIPS_OUTER + LIPS_INNER + LIPS_BETWEEN)
    for vertices, mouth_open in _heads(face_model, opened):
        for yaw_deg, pitch_deg in POSES_DEG:
            view, _ = head.view(vertices, yaw_deg=yaw_deg, pitch_deg=pitch_deg)
            landmarks = detect(view.image)
            if landmarks is None:
                continue
            points = _touched(landmarks, view, face_model, surface)
            if not mouth_open:
                points[lips] = np.nan  # closed lips touch: an upper point would land on the lower lip
            yield points


def _heads(face_model: FaceModel, opened: Float32) -> Iterator[tuple[Float32, bool]]:
    """(vertices (V, 3) m, mouth open) of the mean and of random identities, each closed and open."""
    random = np.random.default_rng(SEED)
    for number in range(IDENTITIES):
        sigma = IDENTITY_SIGMA if number else 0.0
        identity = (sigma * random.standard_normal(len(face_model.identity_basis))).astype(np.float32)
        closed, wide = face_model.vertices(identity, np.stack([np.zeros_like(opened), opened]))
        yield closed, False
        yield wide, True


def _touched(
    landmarks: NDArray[Any], view: LandmarkView, model: FaceModel, surface: NDArray[np.bool_]
) -> Float32:
    """Points of the mean mesh under the landmarks of a view: (478, 3) m."""
    # a cosine of 0 says that a triangle faces sideways, and such triangles are never hit
    cosines = np.where(surface, view.cosines, 0.0)
    return surface_points(landmarks, view.raster, model.triangles, model.mean, cosines)


def _anatomy(points: Float32, mean: Float32) -> Anatomy:
    def near(ring: tuple[int, ...]) -> Int32:
        touched = points[list(ring)]
        _, ids = cKDTree(mean).query(touched[np.isfinite(touched[:, 0])])
        return np.asarray(ids, np.int32)

    anatomy = Anatomy(
        right_eye=near(RIGHT_EYE), left_eye=near(LEFT_EYE), mouth=near(LIPS_OUTER), lips=near(OUTER_LIP_PAIR)
    )
    if len(anatomy.lips) < 2 or min(len(anatomy.right_eye), len(anatomy.left_eye)) == 0:
        raise ValueError("eyes or lips found in the frontal render do not lie on the surface of the model")
    return anatomy


def _open_mouth(face_model: FaceModel, anatomy: Anatomy) -> Float32:
    """Expression coefficients (25,) of the smallest norm that part the outer lips by OPEN_MOUTH_M.

    The gap is linear in the coefficients, gap = g . c, so the smallest c points along g and has the norm
    OPEN_MOUTH_M / |g|, which is limited to MAX_OPEN_SIGMA.
    """
    upper, lower = anatomy.lips
    gap = face_model.expression_basis[:, lower, 1] - face_model.expression_basis[:, upper, 1]  # y is down
    gap_per_sigma = np.linalg.norm(gap)
    if gap_per_sigma * MAX_OPEN_SIGMA < OPEN_MOUTH_M / 4:
        raise ValueError(
            f"{face_model.name}: its expressions part the lips by "
            f"{1000 * gap_per_sigma * MAX_OPEN_SIGMA:.1f} mm at {MAX_OPEN_SIGMA} sigma, need "
            f"{1000 * OPEN_MOUTH_M / 4:.1f}; the model cannot open its mouth"
        )
    return np.asarray(gap / gap_per_sigma * min(MAX_OPEN_SIGMA, OPEN_MOUTH_M / gap_per_sigma), np.float32)


def _holes(posed: Float32, anatomy: Anatomy) -> HoleCenters:
    rings = {name: getattr(anatomy, name) for name in ("right_eye", "left_eye", "mouth")}
    return HoleCenters(**{name: posed[ids].mean(axis=0) for name, ids in rings.items()})


def _centered(vertices: Float32, shown: NDArray[np.intp]) -> Float32:
    """The head moved so that the box of the vertices that can carry landmarks is centred on the origin."""
    low, high = vertices[shown].min(axis=0), vertices[shown].max(axis=0)
    return np.asarray(vertices - (low + high) / 2, np.float32)
