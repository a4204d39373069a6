"""What the readers of other people's face models share: the change of axes and the provenance text."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

TO_CAMERA_AXES = np.array([1.0, -1.0, -1.0], np.float32)
"""From +y up and +z out of the face, which every supported source uses, to this project's +y down and +z into
the head: a half turn about x, which keeps triangles counter-clockwise."""


def file_provenance(source: Path) -> str:
    """Name and sha256 of the file that a model was read from."""
    return f"{source.name} sha256 {hashlib.sha256(source.read_bytes()).hexdigest()}"
