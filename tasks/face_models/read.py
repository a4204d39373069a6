"""The table of face model readers, one for each format.

To add a format, write a reader that returns FaceShapes, then add its name to FaceModelKind and its line to
READERS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from rendering.face_model_pca import FaceShapes
from tasks.face_models.read_bfm import read_bfm
from tasks.face_models.read_flame import read_flame
from tasks.face_models.read_ict import read_ict
from tasks.face_models.read_scans import read_scans

FaceModelKind = Literal["builtin", "ict", "flame", "bfm", "scans"]
"""Where a face model comes from; "builtin" is generated and has no reader."""

READERS: Mapping[FaceModelKind, Callable[[Path], FaceShapes]] = {
    "ict": read_ict,
    "flame": read_flame,
    "bfm": read_bfm,
    "scans": read_scans,
}


def read_shapes(kind: FaceModelKind, source: Path | None) -> FaceShapes:
    """The shapes of a source, in this project's axes and metres.

    Raises:
        ValueError: the source is missing, or its content is missing or mis-shaped; the message names it.
    """
    if source is None:
        raise ValueError(f"a face model from {kind} needs a source file or folder; give --source")
    if not source.exists():
        raise ValueError(f"no face model source at {source}")
    return READERS[kind](source)
