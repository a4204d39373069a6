"""Read the files of a capture as arrays. They are not trusted: sizes are checked before decoding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from rendering.mesh_files import Mesh, MeshFormat, check_triangles, parse_mesh, skin_triangle_ids
from tasks.reasons import Reason, Rejected

MAX_SIDE_PX = 16_384
MAX_PIXELS = 100_000_000
MAX_MESH_BYTES = 1 << 30
MAX_POSE_BYTES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureTemplate:
    """Triangles that all meshes of a capture share."""

    triangles: NDArray[np.int32]
    """Vertex ids, (F, 3)."""
    skin_triangles: NDArray[np.int32]
    """Ids of the triangles of facial skin, (S,)."""

    @property
    def skin_vertices(self) -> NDArray[np.int32]:
        """Ids of the vertices that skin triangles use, ascending."""
        return np.asarray(np.unique(self.triangles[self.skin_triangles]), np.int32)


def read_image(path: Path, *, size: Sequence[int] | None) -> NDArray[np.uint8]:
    """Read a PNG or JPEG picture: (H, W, 3) RGB.

    Args:
        path: file of the picture.
        size: (width, height) that the picture must have; None = any.

    Raises:
        Rejected: it is no such picture, of another size, too large, cut off or broken.
    """
    try:
        with Image.open(path, formats=("PNG", "JPEG")) as image:
            _check_size(image, size)
            pixels = np.asarray(image.convert("RGB"), np.uint8)
    except UnidentifiedImageError as error:
        raise Rejected(Reason.NOT_MEDIA, "an image is neither PNG nor JPEG") from error
    except Image.DecompressionBombError as error:
        raise Rejected(Reason.TOO_LARGE, f"an image: {error}") from error
    except (OSError, SyntaxError, ValueError) as error:  # Pillow's words for broken files
        cut_off = "truncated" in str(error)
        reason = Reason.TRUNCATED if cut_off else Reason.CORRUPT
        raise Rejected(reason, f"an image does not decode: {error}") from error
    return pixels


def _check_size(image: Image.Image, size: Sequence[int] | None) -> None:
    width, height = image.size
    if max(width, height) > MAX_SIDE_PX or width * height > MAX_PIXELS:
        raise Rejected(
            Reason.TOO_LARGE, f"an image is {width}x{height} px, limits {MAX_SIDE_PX} a side and {MAX_PIXELS}"
        )
    if size is not None and (width, height) != tuple(size):
        raise Rejected(
            Reason.CORRUPT,
            f"an image is {width}x{height} px, its camera is calibrated for {size[0]}x{size[1]}",
        )
    if image.mode not in ("RGB", "RGBA", "L", "P"):
        raise Rejected(Reason.FORBIDDEN_FORMAT, f"an image has the mode {image.mode}, need 8 bit RGB or grey")


def read_template(path: Path, *, mesh_format: MeshFormat, face_vertices: Path | None) -> CaptureTemplate:
    """Read triangles, and which of them are facial skin.

    Raises:
        Rejected: the files are broken or do not agree.
    """
    triangles = _read_mesh(path, mesh_format).triangles
    if not len(triangles):
        raise Rejected(Reason.CORRUPT, "neither the template nor the mesh has triangles")
    if face_vertices is None:
        return CaptureTemplate(triangles=triangles, skin_triangles=np.arange(len(triangles), dtype=np.int32))
    skin = skin_triangle_ids(triangles, _read_ids(face_vertices))
    if not len(skin):
        raise Rejected(Reason.CORRUPT, "no triangle has all its corners in face_vertex_ids")
    return CaptureTemplate(triangles=triangles, skin_triangles=skin)


def read_vertices(path: Path, *, mesh_format: MeshFormat, count: int | None) -> NDArray[np.float32]:
    """Read the vertices of a registered mesh, (V, 3) in the unit of the file.

    Raises:
        Rejected: the file is broken, or the mesh has not `count` vertices.
    """
    mesh = _read_mesh(path, mesh_format)
    if not len(mesh.vertices) or (count is not None and len(mesh.vertices) != count):
        raise Rejected(Reason.CORRUPT, f"a mesh has {len(mesh.vertices)} vertices, need {count or 'some'}")
    try:
        check_triangles(mesh.triangles, vertices=len(mesh.vertices))
    except ValueError as error:
        raise Rejected(Reason.CORRUPT, f"a mesh: {error}") from error
    return mesh.vertices


def read_pose(path: Path | None, *, unit_m: float) -> NDArray[np.float64]:
    """Read a mesh-to-world transform, (4, 4) in metres, from 3 or 4 rows of 4 numbers; None = identity.

    Raises:
        Rejected: the file does not parse, or it is no rotation and translation.
    """
    pose = np.eye(4)
    if path is None:
        return pose
    text = _read_bytes(path, MAX_POSE_BYTES).decode("ascii", "replace")
    try:
        rows = np.array(
            [[float(word) for word in line.split()] for line in text.splitlines() if line.strip()]
        )
    except ValueError as error:
        raise Rejected(Reason.CORRUPT, f"a pose: {error}") from error
    if rows.shape not in ((3, 4), (4, 4)) or not np.isfinite(rows).all():
        raise Rejected(Reason.CORRUPT, f"a pose has the shape {rows.shape}, need 3 or 4 rows of 4 numbers")
    pose[:3] = rows[:3]
    if np.abs(pose[:3, :3] @ pose[:3, :3].T - np.eye(3)).max() > 1e-2 or np.linalg.det(pose[:3, :3]) < 0:
        raise Rejected(Reason.CORRUPT, "a pose is no rotation and translation")
    pose[:3, 3] *= unit_m
    return pose


def _read_mesh(path: Path, mesh_format: MeshFormat) -> Mesh:
    data = _read_bytes(path, MAX_MESH_BYTES)
    try:
        return parse_mesh(data, mesh_format)
    except ValueError as error:
        raise Rejected(Reason.CORRUPT, f"a mesh ({mesh_format}): {error}") from error


def _read_ids(path: Path) -> NDArray[np.int32]:
    try:
        # mapped: a header that promises more than the file holds is an error and allocates nothing
        ids = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise Rejected(Reason.CORRUPT, f"face_vertex_ids: {error}") from error
    if not isinstance(ids, np.ndarray) or ids.ndim != 1 or ids.dtype.kind not in "iu":
        raise Rejected(Reason.CORRUPT, "face_vertex_ids is no list of whole numbers")
    return ids.astype(np.int32)


def _read_bytes(path: Path, limit: int) -> bytes:
    with path.open("rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise Rejected(Reason.TOO_LARGE, f"{path.name} has more than {limit} bytes")
    return data
