"""FLAME (2017 to 2023, Open) from the user's own file: .pkl through an allow-list, or .npz.

FLAME opens the mouth by turning a jaw joint, not by an expression: two linear jaw modes (open, sideways)
are added to the expressions before PCA.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rendering.face_model import Float32
from rendering.face_model_pca import FaceShapes
from tasks.face_models.allow_list_pickle import read_pickled_arrays

IDENTITY_COUNT = 300
EYEBALLS_FROM_VERTEX = 3931
JAW_JOINT = 2
JAW_OPEN_RAD = 0.12
"""One standard deviation of a talking jaw's turn about x."""
JAW_SIDEWAYS_RAD = 0.04
TO_CAMERA_AXES = np.array([1.0, -1.0, -1.0], np.float32)
"""FLAME: metres, +y up, +z out of the face."""

Arrays = dict[str, NDArray[Any]]


def read_flame(source: Path) -> FaceShapes:
    """FLAME's template, shape and expression directions and linearised jaw.

    Raises:
        ValueError: an array is missing or mis-shaped, or a pickle asks for more than arrays.
    """
    arrays = _load(source)
    template = arrays["v_template"].astype(np.float32)
    count = len(template)
    _check(source, arrays, count)
    directions = np.moveaxis(arrays["shapedirs"].astype(np.float32), 2, 0)
    jaw = np.stack([_jaw(arrays, (JAW_OPEN_RAD, 0.0)), _jaw(arrays, (0.0, JAW_SIDEWAYS_RAD))])
    triangles = arrays["f"].astype(np.int32)
    return FaceShapes(
        mean=template * TO_CAMERA_AXES,
        triangles=triangles,
        identity=directions[:IDENTITY_COUNT] * TO_CAMERA_AXES,
        expression=np.concatenate([directions[IDENTITY_COUNT:], jaw]) * TO_CAMERA_AXES,
        skin=None,
        surface=triangles.max(axis=1) < EYEBALLS_FROM_VERTEX,
        expression_weights=None,
        albedo=None,
        name="FLAME",
        provenance=f"{source.name} sha256 {hashlib.sha256(source.read_bytes()).hexdigest()}",
        licence="the licence of the FLAME file that the user supplied; not for redistribution",
    )


def _load(source: Path) -> Arrays:
    if source.suffix == ".npz":
        with np.load(source, allow_pickle=False) as file:
            arrays: Arrays = {name: file[name] for name in file.files}
    elif source.suffix == ".pkl":
        arrays = read_pickled_arrays(source)
    else:
        raise ValueError(f"{source.name}: FLAME is read from .pkl or .npz")
    needed = ("v_template", "shapedirs", "f", "J_regressor", "weights", "posedirs")
    missing = [name for name in needed if name not in arrays]
    if missing:
        raise ValueError(f"{source.name}: lacks {missing}; has {sorted(arrays)}")
    return arrays


def _check(source: Path, arrays: Arrays, count: int) -> None:
    shapedirs = arrays["shapedirs"].shape
    if len(shapedirs) != 3 or shapedirs[:2] != (count, 3) or shapedirs[2] <= IDENTITY_COUNT:
        raise ValueError(
            f"{source.name}: shapedirs is {shapedirs}, need ({count}, 3, more than {IDENTITY_COUNT}): "
            "identity and expression directions"
        )
    joints = len(arrays["J_regressor"])
    expected = {
        "v_template": (count, 3),
        "f": (len(arrays["f"]), 3),
        "J_regressor": (joints, count),
        "weights": (count, joints),
        "posedirs": (count, 3, 9 * (joints - 1)),
    }
    for name, shape in expected.items():
        if arrays[name].shape != shape:
            raise ValueError(f"{source.name}: {name} is {arrays[name].shape}, need {shape}")
    if joints <= JAW_JOINT:
        raise ValueError(f"{source.name}: {joints} joints, the jaw is joint {JAW_JOINT}")


def _jaw(arrays: Arrays, turn_rad: tuple[float, float]) -> Float32:
    """Displacement (V, 3) m of a jaw turn about x (opens) or y (sideways), with FLAME's pose correction."""
    cos_x, sin_x = np.cos(turn_rad[0]), np.sin(turn_rad[0])
    cos_y, sin_y = np.cos(turn_rad[1]), np.sin(turn_rad[1])
    about_x = np.array([[1, 0, 0], [0, cos_x, -sin_x], [0, sin_x, cos_x]])
    about_y = np.array([[cos_y, 0, sin_y], [0, 1, 0], [-sin_y, 0, cos_y]])
    change = about_y @ about_x - np.eye(3)
    template = np.asarray(arrays["v_template"], np.float64)
    joint = (np.asarray(arrays["J_regressor"], np.float64) @ template)[JAW_JOINT]
    weights = np.asarray(arrays["weights"], np.float64)[:, JAW_JOINT, None]
    first = 9 * (JAW_JOINT - 1)
    correction = np.asarray(arrays["posedirs"], np.float64)[:, :, first : first + 9] @ change.ravel()
    return np.asarray(weights * ((template - joint) @ change.T) + correction, np.float32)
