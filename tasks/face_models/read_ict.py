"""Read ICT-FaceKit Light: the OBJ folder as upstream ships it, or the same content as one .npz file.

The reader keeps the face area (vertices 0..9408 of 26,719: face, ears, upper neck). Eye and mouth sockets,
eyeballs, teeth and scalp are left out: depth has holes there by contract, and nothing else needs them.
Skin is the narrow face (vertices 0..6705).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rendering.arrays import Float32, Int32
from rendering.face_model_pca import BLENDSHAPE_WEIGHT_RMS, FaceShapes
from rendering.mesh_files import parse_mesh
from tasks.face_models.upstream import TO_CAMERA_AXES, file_provenance

FACE_VERTICES = 9409
NARROW_FACE_VERTICES = 6706
CM_TO_M = 0.01
LID_WEIGHT = 8.0
"""Weight of lid vertices in the expression PCA. Lids are few vertices that move little: at weight 1, the 25
modes hold 77 % of a full blink, at weight 8 they hold 93 %."""
LID_MOTION_M = 1e-3
"""A vertex that a lid shape moves farther than this belongs to the lids."""
LID_SHAPES = ("eyeBlink", "eyeLookDown", "eyeWide")


def read_ict(source: Path) -> FaceShapes:
    """Read ICT-FaceKit Light from its FaceXModel folder (or the folder above), or from a .npz file.

    Raises:
        ValueError: content is missing or mis-shaped; the message names it.
    """
    content = _from_folder(source) if source.is_dir() else _from_arrays(source)
    if len(content.neutral) < FACE_VERTICES:
        raise ValueError(f"{source.name}: {len(content.neutral)} vertices, ICT-FaceKit Light has 26719")
    kept = content.triangles[content.triangles.max(axis=1) < FACE_VERTICES]
    modes = np.stack(list(content.expressions.values()))[:, :FACE_VERTICES] * TO_CAMERA_AXES
    weights = np.ones(FACE_VERTICES, np.float32)
    for name, shape in zip(content.expressions, modes, strict=True):
        if name.startswith(LID_SHAPES):
            weights[np.linalg.norm(shape, axis=1) > LID_MOTION_M] = LID_WEIGHT
    weights[NARROW_FACE_VERTICES:] = 0.0  # the PCA keeps what shows on skin
    return FaceShapes(
        mean=content.neutral[:FACE_VERTICES] * TO_CAMERA_AXES,
        triangles=kept,
        identity=content.identity[:, :FACE_VERTICES] * TO_CAMERA_AXES,
        # blendshape weights are in [0, 1]: their root mean square takes the place of a standard deviation
        expression=modes * np.float32(BLENDSHAPE_WEIGHT_RMS),
        skin=kept.max(axis=1) < NARROW_FACE_VERTICES,
        surface=kept.max(axis=1) < NARROW_FACE_VERTICES,
        expression_weights=weights,
        albedo=None,
        name="ICT-FaceKit Light",
        provenance=content.provenance,
        licence="MIT, Copyright (c) 2020 USC Institute for Creative Technologies",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _IctContent:
    """What a source holds, in metres and upstream's axes."""

    neutral: Float32
    """(V, 3) m."""
    triangles: Int32
    """(F, 3)."""
    identity: Float32
    """(I, V, 3) m."""
    expressions: dict[str, Float32]
    """Name -> (V, 3) m, displacement at weight 1."""
    provenance: str


def _from_arrays(path: Path) -> _IctContent:
    """Read the arrays neutral, triangles, identity_basis, expression_basis (metres), expression_names."""
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
    return _IctContent(
        neutral=neutral,
        triangles=arrays["triangles"].astype(np.int32),
        identity=arrays["identity_basis"].astype(np.float32),
        expressions=dict(zip(names, shapes, strict=True)),
        provenance=file_provenance(path),
    )


def _from_folder(folder: Path) -> _IctContent:
    """Read generic_neutral_mesh.obj, identity*.obj and one OBJ for each expression (centimetres)."""
    folder = folder / "FaceXModel" if (folder / "FaceXModel").is_dir() else folder
    neutral_path = folder / "generic_neutral_mesh.obj"
    if not neutral_path.is_file():
        raise ValueError(f"{folder.name}: lacks generic_neutral_mesh.obj; expected ICT-FaceKit's FaceXModel")
    neutral = _obj_vertices(neutral_path)
    # pupils lie on the eyeballs, which are left out
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
    files = f"{1 + len(others)} OBJ files of {folder.name}"
    return _IctContent(
        neutral=neutral * np.float32(CM_TO_M),
        triangles=parse_mesh(neutral_path.read_bytes(), ".obj").triangles,
        identity=np.stack(list(identity.values())),
        expressions=expressions,
        provenance=f"{files}, sha256 of neutral and digests {digest.hexdigest()}",
    )


def _obj_vertices(path: Path) -> Float32:
    """The vertices only, in the unit of the file: to parse all 154 files whole would take minutes."""
    rows = [line.split()[1:4] for line in path.read_bytes().splitlines() if line.startswith(b"v ")]
    try:
        return np.array(rows, np.float32).reshape(-1, 3)
    except ValueError as error:
        raise ValueError(f"{path.name}: a vertex line does not hold three numbers ({error})") from error
