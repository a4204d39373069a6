"""The native face model file: a plain .npz without pickles; the same model gives the same bytes."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from rendering.face_model import FaceModel, face_model_arrays, face_model_from_arrays


def save_face_model(path: Path, face_model: FaceModel) -> None:
    """Write the model to a scratch file and rename it, so that no reader meets half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.part")
    with scratch.open("wb") as file:
        # numpy dates every member 1980-01-01 and keeps their order, so the bytes depend on the arrays alone
        np.savez(file, **face_model_arrays(face_model))
    scratch.replace(path)


def load_face_model(path: Path) -> FaceModel:
    """Read and check a native file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not a native face model; the message names what is missing.
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
            f"{path.name} is not a face model file ({error}); make one with build-face-model"
        ) from error
    try:
        return face_model_from_arrays(arrays)
    except ValueError as misfit:
        raise ValueError(f"{path.name}: {misfit}") from misfit
