"""The native linear face model: 50 identity and 25 expression modes over one mesh.

    vertices = mean + identity (50,) . identity_basis + expression (25,) . expression_basis

The numbers of modes are those of the paper (section 7.3).

Model axes equal camera axes (rendering/camera.py) with the face looking along -z, towards the camera:
+x is the image's right (the subject's left), +y down, +z from the nose to the back of the head. So
rotation 0 is a frontal face. Lengths are metres; the origin lies inside the head.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields

import numpy as np
from numpy.typing import NDArray

from rendering.arrays import Float32, Int32
from rendering.detector_bias import TERMS

IDENTITY_MODES = 50
EXPRESSION_MODES = 25
LANDMARKS = 478


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceModel:
    """A linear 3D morphable model (3DMM) in the native format."""

    mean: Float32
    """Mean vertices, (V, 3) m."""
    triangles: Int32
    """Vertex ids, (F, 3), counter-clockwise seen from outside."""
    identity_basis: Float32
    """(50, V, 3) m, one standard deviation each: coefficients are N(0, 1)."""
    expression_basis: Float32
    """(25, V, 3) m, one standard deviation each; coefficient 0 is the neutral face."""
    skin_triangles: Int32
    """Ids of the triangles of visible facial skin, (S,), where depth is published. Ears, scalp, eyes, the
    inside of the mouth and the throat below the chin are left out."""
    landmark_triangles: Int32
    """Triangle of each MediaPipe landmark, (478,); -1 where the model has no such point."""
    landmark_barycentrics: Float32
    """Barycentric coordinates of each landmark in its triangle, (478, 3)."""
    name: str
    provenance: str
    """Origin of the model, and the digests of its source files."""
    licence: str
    landmark_bias: Float32 | None = None
    """What the detector adds to the landmarks of this model, by view direction, (TERMS, 478, 2)
    (rendering/detector_bias.py); None = not known, as in files written before it was learnt."""

    def vertices(self, identity: Float32, expression: Float32) -> Float32:
        """Head-space vertices of one identity: (50,), expression (N, 25) -> (N, V, 3) m."""
        neutral = self.mean + np.tensordot(identity, self.identity_basis, axes=1)
        return np.asarray(neutral + np.tensordot(expression, self.expression_basis, axes=1), dtype=np.float32)

    def landmark_points(self, vertices: Float32) -> Float32:
        """The 478 landmarks on the given vertices: (N, V, 3) -> (N, 478, 3) m; NaN where not embedded."""
        corners = self.triangles[self.landmark_triangles]
        points = np.einsum("lk,nlkc->nlc", self.landmark_barycentrics, vertices[:, corners])
        # Id -1 has read the last triangle above.
        points[:, self.landmark_triangles < 0] = np.nan
        return np.asarray(points, dtype=np.float32)


def face_model_arrays(face_model: FaceModel) -> dict[str, NDArray[np.generic]]:
    """The arrays of the native .npz file; text becomes unicode arrays, so that no pickle is needed."""
    values = {field.name: getattr(face_model, field.name) for field in fields(face_model)}
    return {name: np.asarray(value) for name, value in values.items() if value is not None}


def face_model_from_arrays(arrays: Mapping[str, NDArray[np.generic]]) -> FaceModel:
    """Build and check a face model from the arrays of its file.

    Raises:
        ValueError: an array is missing or has the wrong shape; the message names it.
    """
    names = [field.name for field in fields(FaceModel) if field.name in arrays or field.default is MISSING]
    missing = [name for name in names if name not in arrays]
    if missing:
        raise ValueError(f"face model file lacks {missing}; rebuild it with build-face-model")
    text = {name: str(arrays[name]) for name in ("name", "provenance", "licence")}
    numeric = {name: np.ascontiguousarray(arrays[name]) for name in names if name not in text}
    vertex_count = len(numeric["mean"])
    expected = {
        "mean": (vertex_count, 3),
        "triangles": (len(numeric["triangles"]), 3),
        "identity_basis": (IDENTITY_MODES, vertex_count, 3),
        "expression_basis": (EXPRESSION_MODES, vertex_count, 3),
        "landmark_triangles": (LANDMARKS,),
        "landmark_barycentrics": (LANDMARKS, 3),
        "landmark_bias": (TERMS, LANDMARKS, 2),
    }
    for name, shape in expected.items():
        if name in numeric and numeric[name].shape != shape:
            raise ValueError(f"face model array {name} is {numeric[name].shape}, need {shape}")
    _check_ids(numeric)
    return FaceModel(**numeric, **text)  # type: ignore[arg-type]


def _check_ids(arrays: Mapping[str, NDArray[np.generic]]) -> None:
    """Raise ValueError unless ids name existing vertices and triangles, and lengths are finite."""
    vertices, triangles = len(arrays["mean"]), len(arrays["triangles"])
    limits = {
        "triangles": (0, vertices),
        "skin_triangles": (0, triangles),
        "landmark_triangles": (-1, triangles),
    }
    for name, (low, high) in limits.items():
        ids = arrays[name]
        if ids.dtype != np.int32 or (ids.size and not low <= int(ids.min()) <= int(ids.max()) < high):
            raise ValueError(f"face model array {name} holds {ids.dtype} ids outside {low}..{high - 1}")
    real = ("mean", "identity_basis", "expression_basis", "landmark_barycentrics", "landmark_bias")
    for name in (name for name in real if name in arrays):
        if arrays[name].dtype != np.float32 or not np.isfinite(arrays[name]).all():
            raise ValueError(f"face model array {name} is {arrays[name].dtype}, need finite float32")
