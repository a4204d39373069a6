"""Any face model source -> the native file: 50 identity and 25 expression modes, skin, landmarks."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rendering.builtin.head import builtin_head
from rendering.builtin.parts import BodyPart
from rendering.face_model import EXPRESSION_MODES, IDENTITY_MODES, LANDMARKS, FaceModel, Float32, Int32
from rendering.face_model_pca import FaceShapes, reduce_modes
from rendering.landmarks.embedding_check import EmbeddingCheck, check_embedding
from rendering.skin.facial_skin import skin_from_outline, throat
from tasks.face_models.embed_landmarks import Detect, embed_on_renders, image_detector, painted_head
from tasks.face_models.files import save_face_model
from tasks.face_models.learn_landmark_bias import landmark_bias
from tasks.face_models.read import SourceKind, read_shapes


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

    Args:
        source_kind: "builtin" (no source), "ict" (folder or .npz), "flame" (.pkl or .npz), "bfm" (.h5 or
            .mat) or "scans" (folder).
        source_path: the file or folder.
        out_path: the native .npz file to write.

    Raises:
        ValueError: the source lacks something, or the landmarks do not fit; the message names it.
    """
    draft = _builtin_draft() if source_kind == "builtin" else _reduced(read_shapes(source_kind, source_path))
    with image_detector() as detect:
        face_model, record = finished_face_model(draft, detect=detect)
    save_face_model(out_path, face_model)
    return replace(record, path=str(out_path), sha256=hashlib.sha256(out_path.read_bytes()).hexdigest())


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A face model with its modes, before its skin and landmarks are known."""

    face_model: FaceModel
    surface: NDArray[np.bool_]
    """(F,) triangles that may carry landmarks."""
    skin: NDArray[np.bool_] | None
    """(F,) triangles that may be facial skin; None = from the face outline."""
    albedo: Float32 | None
    identity_modes: int
    expression_modes: int
    identity_energy_kept: float
    expression_energy_kept: float


def finished_face_model(draft: Draft, *, detect: Detect) -> tuple[FaceModel, FaceModelRecord]:
    """Landmarks and the detector's bias from the model's own renders, a check, and the skin they delimit."""
    embedding = embed_on_renders(draft.face_model, surface=draft.surface, albedo=draft.albedo, detect=detect)
    embedded = replace(
        draft.face_model,
        landmark_triangles=embedding.triangles,
        landmark_barycentrics=embedding.barycentrics,
    )
    check = check_embedding(embedded)
    head = painted_head(embedded, surface=draft.surface, albedo=draft.albedo, detect=detect)
    face_model = replace(
        embedded,
        skin_triangles=_skin_triangles(embedded, draft),
        landmark_bias=landmark_bias(embedded, head, detect=detect),
    )
    return face_model, FaceModelRecord(
        path="",
        sha256="",
        name=face_model.name,
        vertices=len(face_model.mean),
        triangles=len(face_model.triangles),
        skin_triangles=len(face_model.skin_triangles),
        identity_modes=draft.identity_modes,
        expression_modes=draft.expression_modes,
        identity_energy_kept=draft.identity_energy_kept,
        expression_energy_kept=draft.expression_energy_kept,
        landmark_spread_m=float(np.nanmedian(embedding.spread_m)),
        check=check,
    )


def _builtin_draft() -> Draft:
    """The project's own head has its 50 + 25 named modes already."""
    head = builtin_head()
    triangles = head.face_model.triangles
    skin = np.zeros(len(triangles), bool)
    skin[head.face_model.skin_triangles] = True
    return Draft(
        face_model=head.face_model,
        surface=(head.parts[triangles] == BodyPart.SKIN).all(axis=1),
        skin=skin,
        albedo=head.albedo,
        identity_modes=len(head.face_model.identity_basis),
        expression_modes=len(head.face_model.expression_basis),
        identity_energy_kept=1.0,
        expression_energy_kept=1.0,
    )


def _reduced(shapes: FaceShapes) -> Draft:
    """50 and 25 modes by PCA."""
    identity = reduce_modes(shapes.identity, count=IDENTITY_MODES, weights=_skin_weights(shapes))
    expression = reduce_modes(shapes.expression, count=EXPRESSION_MODES, weights=shapes.expression_weights)
    face_model = FaceModel(
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
    return Draft(
        face_model=face_model,
        surface=shapes.surface,
        skin=shapes.skin,
        albedo=shapes.albedo,
        identity_modes=len(shapes.identity),
        expression_modes=len(shapes.expression),
        identity_energy_kept=identity.energy_kept,
        expression_energy_kept=expression.energy_kept,
    )


def _skin_weights(shapes: FaceShapes) -> Float32 | None:
    """The identity PCA keeps what shows on facial skin; the rest of the head follows."""
    if shapes.skin is None:
        return None
    weights = np.zeros(len(shapes.mean), np.float32)
    weights[np.unique(shapes.triangles[shapes.skin])] = 1.0
    return weights


def _skin_triangles(face_model: FaceModel, draft: Draft) -> Int32:
    points = face_model.landmark_points(face_model.mean[None])[0]
    skin = draft.skin
    if skin is None:
        skin = draft.surface & skin_from_outline(face_model.mean, face_model.triangles, points)
    return np.flatnonzero(skin & ~throat(face_model.mean, face_model.triangles, points)).astype(np.int32)
