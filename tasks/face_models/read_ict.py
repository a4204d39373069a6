"""ICT-FaceKit Light: the OBJ folder as upstream ships it, or the same content as one .npz file.

Of the 26,719 vertices the face area is kept (0..9408: face, ears, upper neck). The eye and mouth
sockets, eyeballs, teeth and scalp are left out: depth has holes there by contract, and nothing else
needs them. Skin is the narrow face (vertices 0..6705).
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rendering.face_model import Float32, Int32
from rendering.face_model_pca import BLENDSHAPE_WEIGHT_RMS, FaceShapes
from rendering.mesh_files import parse_mesh

FACE_VERTICES = 9409
NARROW_FACE_VERTICES = 6706
CM_TO_M = 0.01
# +y up, +z out of the face -> +y down, +z into the head (a half turn about x: winding stays).
TO_CAMERA_AXES = np.array([1.0, -1.0, -1.0], np.float32)
# Lids are few vertices that move little: at weight 1 the 25 modes close a full blink to 77 %, at 8 to 93 %.
LID_WEIGHT = 8.0
LID_MOTION_M = 1e-3
LID_SHAPES = ("eyeBlink", "eyeLookDown", "eyeWide")


def read_ict(source: Path) -> FaceShapes:
    """ICT-FaceKit Light from its FaceXModel folder (or the folder above), or from a .npz file.

    Raises:
        ValueError: content is missing or mis-shaped; the message names it.
    """
    neutral, triangles, identity, expressions, provenance = (
        _from_folder(source) if source.is_dir() else _from_arrays(source)
    )
    if len(neutral) < FACE_VERTICES:
        raise ValueError(f"{source.name}: {len(neutral)} vertices, ICT-FaceKit Light has 26719")
    kept = triangles[triangles.max(axis=1) < FACE_VERTICES]
    modes = np.stack(list(expressions.values()))[:, :FACE_VERTICES] * TO_CAMERA_AXES
    lids = [shape for name, shape in zip(expressions, modes, strict=True) if name.startswith(LID_SHAPES)]
    weights = np.ones(FACE_VERTICES, np.float32)
    for shape in lids:
        weights[np.linalg.norm(shape, axis=1) > LID_MOTION_M] = LID_WEIGHT
    weights[NARROW_FACE_VERTICES:] = 0.0
    return FaceShapes(
        mean=neutral[:FACE_VERTICES] * TO_CAMERA_AXES,
        triangles=kept,
        identity=identity[:, :FACE_VERTICES] * TO_CAMERA_AXES,
        expression=modes * np.float32(BLENDSHAPE_WEIGHT_RMS),
        skin=kept.max(axis=1) < NARROW_FACE_VERTICES,
        surface=kept.max(axis=1) < NARROW_FACE_VERTICES,
        expression_weights=weights,
        albedo=None,
        name="ICT-FaceKit Light",
        provenance=provenance,
        licence="MIT, Copyright (c) 2020 USC Institute for Creative Technologies",
    )


Content = tuple[Float32, Int32, Float32, dict[str, Float32], str]


def _from_arrays(path: Path) -> Content:
    """The arrays neutral, triangles, identity_basis, expression_basis (metres), expression_names."""
    with np.load(path, allow_pickle=False) as file:
        needed = ("neutral", "triangles", "identity_basis", "expression_basis", "expression_names")
        missing = [name for name in needed if name not in file.files]
        if missing:
            raise ValueError(f"{path.name}: lacks the arrays {missing}; has {sorted(file.files)}")
        arrays: dict[str, NDArray[np.generic]] = {name: file[name] for name in needed}
    neutral = arrays["neutral"].astype(np.float32)
    for name in ("identity_basis", "expression_basis"):
        if arrays[name].shape[1:] != neutral.shape:
            raise ValueError(f"{path.name}: {name} is {arrays[name].shape}, need (modes, {len(neutral)}, 3)")
    shapes = arrays["expression_basis"].astype(np.float32)
    names = [str(name) for name in arrays["expression_names"]]
    if len(names) != len(shapes):
        raise ValueError(f"{path.name}: {len(names)} expression_names for {len(shapes)} shapes")
    return (
        neutral,
        arrays["triangles"].astype(np.int32),
        arrays["identity_basis"].astype(np.float32),
        dict(zip(names, shapes, strict=True)),
        f"{path.name} sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}",
    )


def _from_folder(folder: Path) -> Content:
    """generic_neutral_mesh.obj, identity*.obj and one OBJ an expression (centimetres)."""
    folder = folder / "FaceXModel" if (folder / "FaceXModel").is_dir() else folder
    neutral_path = folder / "generic_neutral_mesh.obj"
    if not neutral_path.is_file():
        raise ValueError(f"{folder.name}: lacks generic_neutral_mesh.obj; expected ICT-FaceKit's FaceXModel")
    neutral = _obj_vertices(neutral_path)
    # Pupils are on the eyeballs, which are left out.
    others = [
        path
        for path in sorted(folder.glob("*.obj"))
        if path != neutral_path and not path.name.startswith("PupilDilate")
    ]
    digest = hashlib.sha256(neutral_path.read_bytes())
    deltas: dict[str, Float32] = {}
    for path in others:
        vertices = _obj_vertices(path)
        if vertices.shape != neutral.shape:
            raise ValueError(f"{path.name}: {len(vertices)} vertices, the neutral mesh has {len(neutral)}")
        deltas[path.stem] = (vertices - neutral) * np.float32(CM_TO_M)
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    identity = {name: delta for name, delta in deltas.items() if name.startswith("identity")}
    expressions = {name: delta for name, delta in deltas.items() if name not in identity}
    for what, found in (("identity*.obj", identity), ("expression OBJ files", expressions)):
        if not found:
            raise ValueError(f"{folder.name}: no {what}; expected ICT-FaceKit's FaceXModel folder")
    return (
        neutral * np.float32(CM_TO_M),
        parse_mesh(neutral_path.read_bytes(), ".obj").triangles,
        np.stack(list(identity.values())),
        expressions,
        f"{1 + len(others)} OBJ files of {folder.name}, sha256 of neutral and digests {digest.hexdigest()}",
    )


def _obj_vertices(path: Path) -> Float32:
    """Only the vertices, in file units: 154 files of this size would take minutes to parse whole."""
    rows = [line.split()[1:4] for line in path.read_bytes().splitlines() if line.startswith(b"v ")]
    try:
        return np.array(rows, np.float32).reshape(-1, 3)
    except ValueError as error:
        raise ValueError(f"{path.name}: a vertex line does not hold three numbers ({error})") from error
