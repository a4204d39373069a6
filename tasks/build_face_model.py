"""Any face model source -> the native file: 50 identity and 25 expression modes, skin, landmarks."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from rendering.embedding_check import EmbeddingCheck, check_embedding
from rendering.face_model import EXPRESSION_MODES, IDENTITY_MODES, LANDMARKS, FaceModel, Float32
from rendering.face_model_pca import FaceShapes, reduce_modes
from rendering.facial_skin import skin_from_outline, throat
from tasks.embed_landmarks import Detect, embed_on_renders, image_detector
from tasks.face_model_files import save_face_model
from tasks.read_ict import read_ict

SourceKind = Literal["builtin", "ict", "flame", "bfm", "scans"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceModelRecord:
    """What was built."""

    path: str
    sha256: str
    name: str
    vertices: int
    triangles: int
    skin_triangles: int
    identity_modes: int
    """Modes of the source, before PCA."""
    expression_modes: int
    identity_energy_kept: float
    """Share of the mean squared displacement of facial skin that the 50 modes keep."""
    expression_energy_kept: float
    landmark_spread_m: float
    """Median over the landmarks of how far the views disagree."""
    check: EmbeddingCheck

    def as_json(self) -> dict[str, object]:
        """Plain values for printing."""
        return asdict(self)


def build_face_model(source_kind: SourceKind, source_path: Path | None, out_path: Path) -> FaceModelRecord:
    """Read a source, reduce it, find its landmarks on its own renders, check and save it.

    Raises:
        ValueError: the source lacks something, or the landmarks do not fit; the message names it.
    """
    shapes = read_shapes(source_kind, source_path)
    with image_detector() as detect:
        face_model, record = native_face_model(shapes, detect=detect)
    save_face_model(out_path, face_model)
    return replace(record, path=str(out_path), sha256=hashlib.sha256(out_path.read_bytes()).hexdigest())


def read_shapes(source_kind: SourceKind, source_path: Path | None) -> FaceShapes:
    """The source's shapes in our axes and metres."""
    if source_path is None:
        raise ValueError(f"a face model from {source_kind} needs --source")
    return {"ict": read_ict}[source_kind](source_path)


def native_face_model(shapes: FaceShapes, *, detect: Detect) -> tuple[FaceModel, FaceModelRecord]:
    """Reduce, embed and check."""
    identity = reduce_modes(shapes.identity, count=IDENTITY_MODES, weights=_skin_weights(shapes))
    expression = reduce_modes(shapes.expression, count=EXPRESSION_MODES, weights=shapes.expression_weights)
    draft = FaceModel(
        mean=shapes.mean,
        triangles=shapes.triangles,
        identity_basis=identity.modes,
        expression_basis=expression.modes,
        skin_triangles=np.zeros(0, np.int32),
        landmark_triangles=np.full(LANDMARKS, -1, np.int32),
        landmark_barycentrics=np.zeros((LANDMARKS, 3), np.float32),
        name=shapes.name,
        provenance=shapes.provenance,
        licence=shapes.licence,
    )
    embedding = embed_on_renders(draft, surface=shapes.surface, albedo=shapes.albedo, detect=detect)
    embedded = replace(
        draft, landmark_triangles=embedding.triangles, landmark_barycentrics=embedding.barycentrics
    )
    check = check_embedding(embedded)
    face_model = replace(embedded, skin_triangles=_skin_triangles(embedded, shapes))
    return face_model, FaceModelRecord(
        path="",
        sha256="",
        name=shapes.name,
        vertices=len(shapes.mean),
        triangles=len(shapes.triangles),
        skin_triangles=len(face_model.skin_triangles),
        identity_modes=len(shapes.identity),
        expression_modes=len(shapes.expression),
        identity_energy_kept=identity.energy_kept,
        expression_energy_kept=expression.energy_kept,
        landmark_spread_m=float(np.nanmedian(embedding.spread_m)),
        check=check,
    )


def _skin_weights(shapes: FaceShapes) -> Float32 | None:
    """The identity PCA keeps what shows on facial skin; the rest of the head follows."""
    if shapes.skin is None:
        return None
    weights = np.zeros(len(shapes.mean), np.float32)
    weights[np.unique(shapes.triangles[shapes.skin])] = 1.0
    return weights


def _skin_triangles(face_model: FaceModel, shapes: FaceShapes) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    points = face_model.landmark_points(face_model.mean[None])[0]
    skin = shapes.skin
    if skin is None:
        skin = shapes.surface & skin_from_outline(face_model.mean, face_model.triangles, points)
    return np.flatnonzero(skin & ~throat(face_model.mean, face_model.triangles, points)).astype(np.int32)
