"""Read the Basel Face Model from the user's own file.

Two layouts are read: BFM 2017 and 2019 (.h5, which needs the optional package h5py), and
BFM_model_front.mat, which Deep3DFaceReconstruction makes from the face of BFM 2009 and separate
expressions. BFM 2009 alone (01_MorphableModel.mat) has no expressions and is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rendering.arrays import Array, Float32
from rendering.face_model_pca import FaceShapes, oriented_outwards
from tasks.face_models.upstream import TO_CAMERA_AXES, file_provenance

MM_TO_M = 1e-3
FRONT_TO_M = 0.1
"""BFM_model_front.mat is in decimetres."""
DISPLAY_GAMMA = np.float32(2.2)
"""The mean texture is stored as display colours; renders need linear albedo."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _BfmContent:
    mean: Array
    """(3V,), x, y, z of each vertex in the unit of the file."""
    identity: Array
    """(3V, I), one standard deviation each, in the unit of the file."""
    expression: Array
    """(3V, E), one standard deviation each, in the unit of the file."""
    color: Array
    """(3V,), RGB 0..1 of each vertex."""
    triangles: Array
    """(F, 3), 0-based."""
    to_m: float
    """Metres per unit of the file."""


def read_bfm(source: Path) -> FaceShapes:
    """Shape, expressions and mean colour of a BFM file.

    Raises:
        ValueError: an array is missing or mis-shaped; the message names it.
    """
    readers = {".h5": _from_h5, ".mat": _from_mat}
    if source.suffix not in readers:
        raise ValueError(f"{source.name}: BFM is read from .h5 (2017, 2019) or BFM_model_front.mat")
    content = readers[source.suffix](source)
    mean = _points(source, "mean", content.mean) * np.float32(content.to_m) * TO_CAMERA_AXES
    triangles = oriented_outwards(mean, content.triangles.astype(np.int32))
    return FaceShapes(
        mean=mean,
        triangles=triangles,
        identity=_modes(source, "identity", content.identity, content),
        expression=_modes(source, "expression", content.expression, content),
        skin=None,
        surface=np.ones(len(triangles), bool),
        expression_weights=None,
        albedo=np.clip(_points(source, "colour", content.color), 0.0, 1.0) ** DISPLAY_GAMMA,
        name=f"Basel Face Model ({source.name})",
        provenance=file_provenance(source),
        licence="the licence of the BFM file that the user supplied; research only, not for redistribution",
    )


def _points(source: Path, name: str, flat: Array) -> Float32:
    if flat.size % 3:
        raise ValueError(f"{source.name}: {name} has {flat.size} numbers, need a multiple of 3")
    return flat.reshape(-1, 3).astype(np.float32)


def _modes(source: Path, name: str, flat: Array, content: _BfmContent) -> Float32:
    if flat.ndim != 2 or len(flat) != content.mean.size:
        raise ValueError(f"{source.name}: {name} basis is {flat.shape}, need ({content.mean.size}, modes)")
    points = flat.T.reshape(flat.shape[1], -1, 3).astype(np.float32)
    return points * np.float32(content.to_m) * TO_CAMERA_AXES


def _from_h5(source: Path) -> _BfmContent:
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise ValueError(
            f"{source.name}: reading .h5 needs the package h5py: pip install 'portrait-rgbd[bfm]'"
        ) from error
    names = {
        "mean": "shape/model/mean",
        "basis": "shape/model/pcaBasis",
        "variance": "shape/model/pcaVariance",
        "expression_mean": "expression/model/mean",
        "expression_basis": "expression/model/pcaBasis",
        "expression_variance": "expression/model/pcaVariance",
        "color": "color/model/mean",
        "cells": "shape/representer/cells",
    }
    with h5py.File(source, "r") as file:
        missing = [name for name in names.values() if name not in file]
        if missing:
            raise ValueError(f"{source.name}: lacks {missing}; need BFM 2017 or 2019")
        arrays = {key: np.asarray(file[name]) for key, name in names.items()}
    cells = arrays["cells"]
    # the modes have unit length and their variances stand beside them: scale each to one standard deviation
    return _BfmContent(
        mean=arrays["mean"].ravel() + arrays["expression_mean"].ravel(),
        identity=arrays["basis"] * np.sqrt(arrays["variance"].ravel()),
        expression=arrays["expression_basis"] * np.sqrt(arrays["expression_variance"].ravel()),
        color=arrays["color"].ravel(),
        triangles=cells.T if cells.shape[0] == 3 else cells,
        to_m=MM_TO_M,
    )


def _from_mat(source: Path) -> _BfmContent:
    from scipy.io import loadmat

    try:
        arrays = loadmat(source)
    except (ValueError, NotImplementedError, TypeError) as error:
        raise ValueError(f"{source.name}: not a MATLAB 5 file ({error})") from error
    if "shapePC" in arrays:
        raise ValueError(
            f"{source.name}: BFM 2009 alone has no expressions; "
            "use BFM 2017/2019 (.h5) or BFM_model_front.mat"
        )
    missing = [name for name in ("meanshape", "idBase", "exBase", "meantex", "tri") if name not in arrays]
    if missing:
        raise ValueError(f"{source.name}: lacks {missing}; need BFM_model_front.mat")
    return _BfmContent(
        mean=arrays["meanshape"].ravel(),
        identity=arrays["idBase"],
        expression=arrays["exBase"],
        color=arrays["meantex"].ravel() / 255.0,
        triangles=arrays["tri"].astype(np.int64) - 1,  # MATLAB counts from 1
        to_m=FRONT_TO_M,
    )
