"""Read FLAME (2017 to 2023, Open) from the user's own file: .pkl through an allow-list, or .npz.

FLAME (Li et al. 2017) opens the mouth by turning a jaw joint and not by an expression. Two linear jaw
modes, opening and sideways, are therefore added to the expressions before PCA.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rendering.arrays import Float32
from rendering.face_model_pca import FaceShapes
from tasks.face_models.allow_list_pickle import read_pickled_arrays
from tasks.face_models.upstream import TO_CAMERA_AXES, file_provenance

IDENTITY_COUNT = 300
"""The first `shapedirs` are identity directions, the others expressions."""
EYEBALLS_FROM_VERTEX = 3931
JAW_JOINT = 2
JAW_OPEN_RAD = 0.12
"""Standard deviation of the jaw's turn about x in a talking face."""
JAW_SIDEWAYS_RAD = 0.04
"""Standard deviation of the jaw's turn about y in a talking face."""
CORRECTIVES_PER_JOINT = 9
"""Pose correctives of each joint but the root: the entries of its rotation minus the identity."""

Arrays = dict[str, NDArray[Any]]


def read_flame(source: Path) -> FaceShapes:
    """Template, identity and expression directions of FLAME, and its jaw as two linear modes.

    Raises:
        ValueError: an array is missing or mis-shaped, or a pickle asks for more than arrays.
    """
    arrays = _load(source)
    template = arrays["v_template"].astype(np.float32)
    count = len(template)
    _check(source, arrays, count)
    directions = np.moveaxis(arrays["shapedirs"].astype(np.float32), 2, 0)
    jaw = np.stack(
        [
            _jaw_displacement(arrays, open_rad=JAW_OPEN_RAD),
            _jaw_displacement(arrays, sideways_rad=JAW_SIDEWAYS_RAD),
        ]
    )
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
        provenance=file_provenance(source),
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
        "posedirs": (count, 3, CORRECTIVES_PER_JOINT * (joints - 1)),
    }
    for name, shape in expected.items():
        if arrays[name].shape != shape:
            raise ValueError(f"{source.name}: {name} is {arrays[name].shape}, need {shape}")
    if joints <= JAW_JOINT:
        raise ValueError(f"{source.name}: {joints} joints, the jaw is joint {JAW_JOINT}")


def _jaw_displacement(arrays: Arrays, *, open_rad: float = 0.0, sideways_rad: float = 0.0) -> Float32:
    """Displacement (V, 3) m when the jaw turns about x (opens) and y (sideways).

    FLAME's skinning with only the jaw turned: w (R - 1) (v - joint), plus the pose correctives, which are
    linear in the entries of R - 1.
    """
    cos_x, sin_x = np.cos(open_rad), np.sin(open_rad)
    cos_y, sin_y = np.cos(sideways_rad), np.sin(sideways_rad)
    about_x = np.array([[1, 0, 0], [0, cos_x, -sin_x], [0, sin_x, cos_x]])
    about_y = np.array([[cos_y, 0, sin_y], [0, 1, 0], [-sin_y, 0, cos_y]])
    change = about_y @ about_x - np.eye(3)  # R - 1
    template = np.asarray(arrays["v_template"], np.float64)
    joint = (np.asarray(arrays["J_regressor"], np.float64) @ template)[JAW_JOINT]
    weights = np.asarray(arrays["weights"], np.float64)[:, JAW_JOINT, None]
    first = CORRECTIVES_PER_JOINT * (JAW_JOINT - 1)
    of_jaw = slice(first, first + CORRECTIVES_PER_JOINT)
    correction = np.asarray(arrays["posedirs"], np.float64)[:, :, of_jaw] @ change.ravel()
    return np.asarray(weights * ((template - joint) @ change.T) + correction, np.float32)
