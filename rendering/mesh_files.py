"""Meshes from the contents of OBJ, PLY, npz and raw vertex files.

Contents come as bytes; nothing is opened here. Files are not trusted: sizes that a header declares are
checked against the bytes at hand before anything is allocated.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rendering.arrays import Float32, Int32
from rendering.ply_files import parse_ply_elements

MeshFormat = Literal[".obj", ".ply", ".npz", ".bin"]
MESH_FORMATS: tuple[MeshFormat, ...] = (".npz", ".ply", ".obj", ".bin")
"""Supported formats, in order of preference where a mesh exists in several."""

MAX_CORNERS = 20_000_000
"""Limit on the vertices and on the triangle corners of a mesh."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mesh:
    """Vertices and triangles of a mesh file."""

    vertices: Float32
    """(V, 3), in the file's unit; (0, 3) for a template that holds only triangles."""
    triangles: Int32
    """(F, 3), 0-based; (0, 3) where the file has none."""


def parse_mesh(data: bytes, mesh_format: MeshFormat) -> Mesh:
    """Parse the contents of a mesh file of a known format.

    Raises:
        ValueError: the file is broken, too large, or its triangles name vertices that it lacks.
    """
    parsers = {".obj": _parse_obj, ".ply": _parse_ply, ".npz": _parse_npz, ".bin": _parse_raw}
    mesh = parsers[mesh_format](data)
    if not np.isfinite(mesh.vertices).all():
        raise ValueError("vertices are not all finite")
    # A template without vertices is checked when it meets its meshes.
    check_triangles(mesh.triangles, vertices=len(mesh.vertices) or MAX_CORNERS)
    return mesh


def check_triangles(triangles: Int32, *, vertices: int) -> None:
    """Raise ValueError unless every corner is one of the vertices 0 .. vertices - 1."""
    if triangles.size and not 0 <= int(triangles.min()) <= int(triangles.max()) < vertices:
        raise ValueError(
            f"triangles name vertices {triangles.min()} to {triangles.max()}, "
            f"the mesh has 0 to {vertices - 1}"
        )


def skin_triangle_ids(triangles: Int32, face_vertex_ids: Int32) -> Int32:
    """Ids of the triangles whose corners are all face vertices: (F, 3), (K,) -> (S,)."""
    skin = np.isin(triangles, face_vertex_ids).all(axis=1)
    return np.flatnonzero(skin).astype(np.int32)


def _parse_obj(data: bytes) -> Mesh:
    vertices: list[list[str]] = []
    triangles: list[tuple[int, int, int]] = []
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), start=1):
        words = line.split()
        if not words or words[0] not in ("v", "f"):
            continue
        try:
            if words[0] == "v":
                vertices.append(_coordinates(words))
            else:
                triangles += _fan(words[1:], len(vertices))
        except ValueError as error:
            raise ValueError(f"line {number} {line[:80]!r}: {error}") from error
    if not vertices and not triangles:
        raise ValueError("no vertices and no faces; need a Wavefront OBJ mesh")
    try:
        points = np.array(vertices, np.float32).reshape(-1, 3)
    except ValueError as error:
        raise ValueError(f"a vertex line holds no numbers: {error}") from error
    return Mesh(vertices=points, triangles=np.array(triangles, np.int32).reshape(-1, 3))


def _coordinates(words: list[str]) -> list[str]:
    if len(words) < 4:
        raise ValueError(f"{len(words) - 1} coordinates, need 3")
    return words[1:4]


def _fan(corners: list[str], vertices_so_far: int) -> list[tuple[int, int, int]]:
    """Triangles of a face, as a fan from its first corner; of v/vt/vn only v is read."""
    if len(corners) < 3:
        raise ValueError(f"a face of {len(corners)} corners, need at least 3")
    ids = [int(corner.split("/", 1)[0]) for corner in corners]
    # OBJ numbers vertices from 1; negative numbers count back from the latest vertex, which is -1.
    ids = [vertices_so_far + index if index < 0 else index - 1 for index in ids]
    if not 0 <= min(ids) <= max(ids) < MAX_CORNERS:
        raise ValueError(f"vertex number out of range 1 .. {MAX_CORNERS}")
    return [(ids[0], ids[k], ids[k + 1]) for k in range(1, len(ids) - 1)]


def _parse_ply(data: bytes) -> Mesh:
    vertices, triangles = parse_ply_elements(data)
    return Mesh(vertices=vertices, triangles=triangles)


def _parse_npz(data: bytes) -> Mesh:
    arrays = load_arrays(data, max_bytes=12 * MAX_CORNERS)
    unknown = set(arrays) - {"vertices", "triangles"}
    if unknown or not arrays:
        raise ValueError(f"holds {sorted(arrays)}, need vertices (V, 3) and triangles (F, 3)")
    vertices = arrays.get("vertices", np.empty((0, 3), np.float32))
    triangles = arrays.get("triangles", np.empty((0, 3), np.int32))
    for name, array, kind in (("vertices", vertices, "f"), ("triangles", triangles, "iu")):
        if array.ndim != 2 or array.shape[1] != 3 or array.dtype.kind not in kind:
            raise ValueError(f"{name} is {array.dtype} {array.shape}, need {kind} (n, 3)")
    if triangles.size and triangles.max() >= MAX_CORNERS:
        raise ValueError(f"triangles name vertex {triangles.max()}, limit {MAX_CORNERS - 1}")
    return Mesh(vertices=vertices.astype(np.float32), triangles=triangles.astype(np.int32))


def load_arrays(data: bytes, *, max_bytes: int) -> dict[str, NDArray[np.generic]]:
    """The arrays of an .npz file whose unpacked size is bounded; pickles are refused.

    Raises:
        ValueError: the bytes are no npz file, or unpack to more than max_bytes.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
            if unpacked > max_bytes:
                raise ValueError(f"unpacks to {unpacked} bytes, limit {max_bytes}")
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, MemoryError) as error:
        raise ValueError(f"broken npz: {error}") from error


def _parse_raw(data: bytes) -> Mesh:
    if not data or len(data) % 12:
        raise ValueError(f"{len(data)} bytes are no whole number of vertices of 3 float32")
    vertices = np.frombuffer(data, "<f4").reshape(-1, 3).astype(np.float32)
    return Mesh(vertices=vertices, triangles=np.empty((0, 3), np.int32))
