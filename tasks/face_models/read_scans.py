"""Read registered scans: a sub-folder for each subject, with neutral.* and one file for each expression.

Files are .obj, .ply or .npz (vertices, triangles) of one topology. A mesh directly in the folder is the
neutral scan of a further subject. Axes are +y up and +z out of the face; units are metres, centimetres or
millimetres.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np

from rendering.arrays import Float32, Int32
from rendering.face_model_pca import BLENDSHAPE_WEIGHT_RMS, FaceShapes, oriented_outwards
from rendering.mesh_files import Mesh, MeshFormat, parse_mesh
from rendering.registered_scans import aligned_subjects, expression_delta, identity_modes, mean_by_name
from tasks.face_models.upstream import TO_CAMERA_AXES

SUFFIXES: tuple[MeshFormat, ...] = (".obj", ".ply", ".npz")
NEUTRAL = "neutral"
MIN_SUBJECTS = 2
HEIGHT_RANGE_M = (0.12, 0.8)
"""Smallest and largest plausible height of a scanned face or head, by which the unit is recognised."""


@dataclass(slots=True)
class _Scans:
    triangles: Int32
    neutrals: dict[str, Float32] = field(default_factory=dict)
    """Subject -> (V, 3)."""
    expressions: dict[str, dict[str, Float32]] = field(default_factory=dict)
    """Subject -> expression -> (V, 3)."""
    digest: str = ""


def read_scans(folder: Path) -> FaceShapes:
    """A linear face model of the scans of a folder.

    Neutral scans are aligned by generalised Procrustes analysis; expressions are displacements from the
    same subject's neutral scan.

    Raises:
        ValueError: there are fewer than two subjects, no expression, or meshes of different topologies.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder.name}: scans are read from a folder of meshes")
    scans = _collect(folder)
    to_m = _unit(folder, next(iter(scans.neutrals.values())))
    mean, aligned, scales = aligned_subjects([shape * to_m for shape in scans.neutrals.values()])
    # the same expression of several subjects becomes one mode, the mean of their displacements
    deltas: dict[str, list[Float32]] = {}
    for (subject, neutral), shape, scale in zip(scans.neutrals.items(), aligned, scales, strict=True):
        for name, expression in scans.expressions.get(subject, {}).items():
            delta = expression_delta(expression * to_m, neutral * to_m, shape, scale)
            deltas.setdefault(name, []).append(delta)
    mean_here = mean * TO_CAMERA_AXES
    triangles = oriented_outwards(mean_here, scans.triangles)
    return FaceShapes(
        mean=mean_here,
        triangles=triangles,
        identity=identity_modes(aligned, mean) * TO_CAMERA_AXES,
        # a scan shows the full expression: scaled to one standard deviation of a talking face
        expression=mean_by_name(deltas) * np.float32(BLENDSHAPE_WEIGHT_RMS) * TO_CAMERA_AXES,
        skin=None,
        surface=np.ones(len(triangles), bool),
        expression_weights=None,
        albedo=None,
        name=f"PCA of {len(scans.neutrals)} registered scans",
        provenance=f"{folder.name}: sha256 of names and digests {scans.digest}",
        licence="that of the scans",
    )


def _collect(folder: Path) -> _Scans:
    paths = sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES and path.is_file())
    if not paths:
        raise ValueError(f"{folder.name}: no .obj, .ply or .npz mesh")
    digest = hashlib.sha256()
    scans = _Scans(triangles=_first_triangles(paths))
    for path in paths:
        data = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()}\n{hashlib.sha256(data).hexdigest()}\n".encode())
        vertices = _checked(path, _parsed(path, data), scans)
        subject = path.relative_to(folder).parts[0]
        # a mesh directly in the folder is a subject of which there is only the neutral scan
        if path.parent == folder or path.stem == NEUTRAL:
            scans.neutrals[subject] = vertices
        else:
            scans.expressions.setdefault(subject, {})[path.stem] = vertices
    scans.digest = digest.hexdigest()
    lacking = [subject for subject in scans.expressions if subject not in scans.neutrals]
    if lacking:
        raise ValueError(f"{folder.name}: subjects {lacking} have no {NEUTRAL} mesh")
    if len(scans.neutrals) < MIN_SUBJECTS:
        raise ValueError(f"{folder.name}: {len(scans.neutrals)} subjects, need at least {MIN_SUBJECTS}")
    if not scans.expressions:
        raise ValueError(f"{folder.name}: no expression scans beside the {NEUTRAL} ones")
    return scans


def _parsed(path: Path, data: bytes) -> Mesh:
    try:
        return parse_mesh(data, next(suffix for suffix in SUFFIXES if suffix == path.suffix))
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from error


def _first_triangles(paths: list[Path]) -> Int32:
    triangles = _parsed(paths[0], paths[0].read_bytes()).triangles
    if not len(triangles):
        raise ValueError(f"{paths[0].name}: no faces; the topology is read from the first mesh")
    return triangles


def _checked(path: Path, mesh: Mesh, scans: _Scans) -> Float32:
    expressions = (shape for shapes in scans.expressions.values() for shape in shapes.values())
    known = next(chain(scans.neutrals.values(), expressions), None)
    if known is not None and len(mesh.vertices) != len(known):
        raise ValueError(f"{path.name}: {len(mesh.vertices)} vertices, the other scans have {len(known)}")
    if len(mesh.triangles) and not np.array_equal(mesh.triangles, scans.triangles):
        raise ValueError(
            f"{path.name}: its triangles differ from those of the first scan; scans must be registered"
        )
    return mesh.vertices


def _unit(folder: Path, vertices: Float32) -> np.float32:
    """Metres per unit, recognised by the height of the first scan."""
    height = float(np.ptp(vertices[:, 1]))
    low, high = HEIGHT_RANGE_M
    for to_m in (1.0, 1e-2, 1e-3):
        if low <= height * to_m <= high:
            return np.float32(to_m)
    raise ValueError(
        f"{folder.name}: scans are {height:g} units high, which is not a face in metres, centimetres or "
        "millimetres; rescale them"
    )
