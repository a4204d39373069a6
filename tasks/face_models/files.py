"""The native face model file: a plain .npz, no pickles, the same bytes for the same model."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from rendering.face_model import FaceModel, face_model_arrays, face_model_from_arrays


def save_face_model(path: Path, face_model: FaceModel) -> None:
    """Write the model beside its place and rename, so that nobody sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.part")
    with scratch.open("wb") as file:
        # numpy stamps every member with 1980-01-01 and sorts nothing: bytes depend on the arrays alone.
        np.savez(file, **face_model_arrays(face_model))
    scratch.replace(path)


def load_face_model(path: Path) -> FaceModel:
    """Read and check a native file.

    Raises:
        ValueError: not a native face model file; the message names what is missing.
    """
    if not path.exists():
        raise FileNotFoundError(f"no face model at {path}; make one with build-face-model")
    try:
        with np.load(path, allow_pickle=False) as file:
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise ValueError("a single array")
            arrays = {name: file[name] for name in file.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(
            f"{path.name} is no face model file ({error}); make one with build-face-model"
        ) from error
    try:
        return face_model_from_arrays(arrays)
    except ValueError as misfit:
        raise ValueError(f"{path.name}: {misfit}") from misfit
