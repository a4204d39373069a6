"""Build a face model in the native format from any source."""

from __future__ import annotations

from pathlib import Path

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from flows.outcome import Outcome, goal
from tasks.face_models.build import FaceModelRecord
from tasks.face_models.build import build_face_model as build
from tasks.face_models.read import FaceModelKind


class BuildFaceModelSettings(BaseModel):
    """Source of the face model and the file to write."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, populate_by_name=True
    )

    kind: FaceModelKind = Field(validation_alias=AliasChoices("from", "kind"))
    """Format of the source (docs/face_models.md); builtin generates the project's own head."""
    source: Path | None = None
    """File or folder of the source; builtin needs none."""
    out: Path
    """Native .npz file to write."""


class BuiltFaceModel(Outcome):
    """The face model that was built, with the energy that 50 + 25 modes keep and the landmark checks."""

    face_model: FaceModelRecord


@goal("build-face-model {settings.kind}")
def build_face_model(settings: BuildFaceModelSettings) -> BuiltFaceModel:
    """Build a 3DMM with 50 identity and 25 expression modes, facial skin and 478 landmarks."""
    return BuiltFaceModel(face_model=build(settings.kind, settings.source, settings.out))
