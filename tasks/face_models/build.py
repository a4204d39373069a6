"""Convert a face model of any source to the native one: 50 + 25 modes, facial skin and landmarks."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rendering.arrays import Float32, Int32
from rendering.builtin.head import builtin_head
from rendering.builtin.parts import BodyPart
from rendering.face_model import EXPRESSION_MODES, IDENTITY_MODES, LANDMARKS, FaceModel
from rendering.face_model_pca import FaceShapes, reduce_modes
from rendering.landmarks.embedding_check import EmbeddingCheck, check_embedding
from rendering.skin.facial_skin import skin_from_outline, throat
from tasks.face_models.embed_landmarks import Detect, embed_on_renders, image_detector, painted_head
from tasks.face_models.files import save_face_model
from tasks.face_models.learn_landmark_bias import landmark_bias
from tasks.face_models.read import FaceModelKind, read_shapes


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceModelRecord:
    """A face model that was built, with the figures by which to judge it."""

    path: str
    """The native file."""
    sha256: str
    """Digest of the native file."""
    name: str
    vertices: int
    triangles: int
    skin_triangles: int
    identity_modes: int
    """Identity modes of the source, before PCA."""
    expression_modes: int
    """Expression modes of the source, before PCA."""
    identity_energy_kept: float
    """Share of the mean squared displacement of facial skin that the 50 identity modes keep, 0..1."""
    expression_energy_kept: float
    """Share of the weighted mean squared displacement that the 25 expression modes keep, 0..1."""
    landmark_spread_m: float
    """How far the views disagree on a landmark, median over the landmarks, m."""
    check: EmbeddingCheck

    def as_json(self) -> dict[str, object]:
        """Plain values for printing."""
        return asdict(self)


def build_face_model(kind: FaceModelKind, source: Path | None, out: Path) -> FaceModelRecord:
    """Read a source, reduce it to 50 + 25 modes, find its landmarks on its own renders, check and save it.

    Args:
        kind: "builtin" (no source), "ict" (folder or .npz), "flame" (.pkl or .npz), "bfm" (.h5 or .mat) or
            "scans" (folder).
        source: the file or folder.
        out: the native .npz file to write.

    Raises:
        ValueError: the source lacks something, or the landmarks do not fit; the message names it.
    """
    draft = _builtin_draft() if kind == "builtin" else _reduced(read_shapes(kind, source))
    with image_detector() as detect:
        face_model, record = finished_face_model(draft, detect=detect)
    save_face_model(out, face_model)
    return replace(record, path=str(out), sha256=hashlib.sha256(out.read_bytes()).hexdigest())


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A face model with its modes, before its skin and landmarks are known."""

    face_model: FaceModel
    surface: NDArray[np.bool_]
    """(F,), triangles that may carry landmarks."""
    skin: NDArray[np.bool_] | None
    """(F,), triangles that may be facial skin; None = derive them from the face outline."""
    albedo: Float32 | None
    """(V, 3), RGB 0..1; None = the source has no colours."""
    identity_modes: int
    expression_modes: int
    identity_energy_kept: float
    expression_energy_kept: float


def finished_face_model(draft: Draft, *, detect: Detect) -> tuple[FaceModel, FaceModelRecord]:
    """Find landmarks and the bias of the detector on renders of the model, check them, and bound the skin.

    Raises:
        ValueError: no face is found in the renders, or a landmark check fails.
    """
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
    """Reduce a source to 50 identity and 25 expression modes by PCA (paper, section 7.3)."""
    identity = reduce_modes(shapes.identity, count=IDENTITY_MODES, weights=_skin_weights(shapes))
    expression = reduce_modes(shapes.expression, count=EXPRESSION_MODES, weights=shapes.expression_weights)
    face_model = FaceModel(
        mean=shapes.mean,
        triangles=shapes.triangles,
        identity_basis=identity.modes,
        expression_basis=expression.modes,
        skin_triangles=np.zeros(0, np.int32),
        # skin and landmarks follow in finished_face_model
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
    """(V,), 1 on facial skin and 0 elsewhere; None = all equal.

    Depth is published on facial skin only, so the identity PCA keeps what shows there.
    """
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
