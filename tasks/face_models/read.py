"""One function in front of the readers of other people's face models."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from rendering.face_model_pca import FaceShapes
from tasks.face_models.read_bfm import read_bfm
from tasks.face_models.read_flame import read_flame
from tasks.face_models.read_ict import read_ict
from tasks.face_models.read_scans import read_scans

SourceKind = Literal["builtin", "ict", "flame", "bfm", "scans"]

READERS = {"ict": read_ict, "flame": read_flame, "bfm": read_bfm, "scans": read_scans}


def read_shapes(source_kind: SourceKind, source_path: Path | None) -> FaceShapes:
    """The source's shapes in our axes and metres.

    Raises:
        ValueError: no such source, or its content is missing or mis-shaped; the message names it.
    """
    if source_path is None:
        raise ValueError(f"a face model from {source_kind} needs a source file or folder")
    if not source_path.exists():
        raise ValueError(f"no face model source at {source_path}")
    return READERS[source_kind](source_path)
