"""A face model in the native format from any source."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from prefect import flow
from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from flows.outcome import Outcome, tell_outcome
from tasks.face_models.build import FaceModelRecord
from tasks.face_models.build import build_face_model as build


class BuildFaceModelSettings(BaseModel):
    """From what, and where to."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, populate_by_name=True
    )

    kind: Literal["builtin", "ict", "flame", "bfm", "scans"] = Field(
        validation_alias=AliasChoices("from", "kind")
    )
    """What the source is; "builtin" needs none."""
    source: Path | None = None
    """Its file or folder (docs/face_models.md)."""
    out: Path
    """The native .npz file to write."""


class BuiltFaceModel(Outcome):
    """What was built, with the energy that 50 + 25 modes keep and the landmark checks."""

    face_model: FaceModelRecord


@flow(
    name="build-face-model",
    flow_run_name="build-face-model {settings.kind}",
    persist_result=False,
    on_completion=[tell_outcome],
)
def build_face_model(settings: BuildFaceModelSettings) -> BuiltFaceModel:
    """A 3DMM: 50 identity and 25 expression modes, facial skin, and 478 landmarks found on its renders."""
    return BuiltFaceModel(face_model=build(settings.kind, settings.source, settings.out))
