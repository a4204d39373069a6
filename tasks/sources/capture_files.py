"""What the readers of studio sets share: cameras in this project's convention, frames and refusals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rendering.distortion import check_coefficients
from tasks.sources.source import CaptureCamera, CaptureFrame, RejectedSource, make_clip_id
from tasks.sources.walk_files import Refusal

MAX_SIDE_PX = 16_384
"""Longest side of a studio image, px."""
ROTATION_TOLERANCE = 1e-3
"""Largest entry of R R^T - 1 that still counts as rounding."""
OPENCV_FROM_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])
"""OpenGL cameras have y up and look along -z; OpenCV cameras have y down and look along +z."""


class CaptureFrames(NamedTuple):
    """The usable frames of a capture."""

    frames: tuple[CaptureFrame, ...]
    """In order of names."""
    note: str
    """Frames that were left out, and why; "" = none."""


def convert_camera(
    intrinsics: Any,
    *,
    distortion: Sequence[float],
    world_to_camera: Any,
    size: tuple[int, int] | None,
    unit_m: float,
    convention: Literal["opencv", "opengl"] = "opencv",
    pixel_origin: Literal["center", "corner"] = "center",
) -> CaptureCamera:
    """Convert the camera of a studio set to OpenCV axes, metres and the corner pixel origin.

    Args:
        intrinsics: K, 3x3, px.
        distortion: 0, 4, 5 or 8 coefficients (rendering/distortion.py).
        world_to_camera: 3x4 or 4x4, with the translation in the unit of the set.
        size: (width, height), px; None = not stated.
        unit_m: metres per unit of the set.
        convention: axes of the camera.
        pixel_origin: what (0, 0) is in the image, the centre or the outer corner of the first pixel.

    Raises:
        ValueError: K has skew or no focal length, the matrix is not rigid, or numbers are not finite.
    """
    matrix = _checked_intrinsics(np.array(intrinsics, float))
    # x_camera [m] = R x_world [m] + unit_m t, since only the translation carries the set's unit
    pose = np.eye(4)
    stated = np.array(world_to_camera, float)
    if stated.shape not in ((3, 4), (4, 4)):
        raise ValueError(f"world to camera is {stated.shape}, need 3x4 or 4x4")
    if stated.shape == (4, 4) and not np.allclose(stated[3], [0, 0, 0, 1], atol=1e-6):
        raise ValueError(f"the last row of world to camera is {stated[3].tolist()}, need 0 0 0 1")
    pose[:3] = stated[:3]
    pose[:3, 3] *= unit_m
    _check_rotation(pose)
    check_coefficients(distortion)
    if size is not None and not all(1 <= side <= MAX_SIDE_PX for side in size):
        raise ValueError(f"image size {size[0]}x{size[1]}, need sides of 1 .. {MAX_SIDE_PX} px")
    if convention == "opengl":
        pose = OPENCV_FROM_OPENGL @ pose
    if pixel_origin == "center":
        # this project has the centre of the first pixel at (0.5, 0.5)
        matrix[:2, 2] += 0.5
    return CaptureCamera(
        matrix=tuple(float(value) for value in matrix.ravel()),
        distortion=tuple(float(value) for value in distortion),
        world_to_camera=tuple(float(value) for value in pose.ravel()),
        size=size,
    )


def _checked_intrinsics(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    if matrix.shape != (3, 3) or not np.isfinite(matrix).all():
        raise ValueError(f"K is {matrix.shape}, need 3x3 finite numbers")
    if (
        not np.allclose(matrix[2], [0, 0, 1])
        or matrix[1, 0] != 0
        or abs(matrix[0, 1]) > 1e-6 * abs(matrix[0, 0])
    ):
        raise ValueError(f"K is {matrix.tolist()}, need [fx 0 cx] [0 fy cy] [0 0 1] without skew")
    if not (matrix[0, 0] > 0 and matrix[1, 1] > 0):
        raise ValueError(f"focal lengths {matrix[0, 0]} and {matrix[1, 1]} px, need more than 0")
    return matrix


def _check_rotation(pose: NDArray[np.float64]) -> None:
    rotation = pose[:3, :3]
    if not np.isfinite(pose).all():
        raise ValueError("world to camera has numbers that are not finite")
    error = float(np.abs(rotation @ rotation.T - np.eye(3)).max())
    if error > ROTATION_TOLERANCE or np.linalg.det(rotation) < 0:
        raise ValueError(
            f"world to camera is not a rotation and translation (R R^T differs from 1 by {error:.2g}, "
            f"determinant {np.linalg.det(rotation):.3g}); remove scale and mirroring"
        )


def refuse_capture(name: str, refusal: Refusal, *, subset: str, subject_id: str) -> RejectedSource:
    """The row of a capture that cannot be read; `name` is its source name."""
    return RejectedSource(
        clip_id=make_clip_id(subset, name),
        kind="studio",
        source_name=name,
        subject_id=subject_id,
        subset=subset,
        reason=refusal.reason,
        detail=refusal.detail,
    )


def left_out_note(without_mesh: Sequence[str]) -> str:
    """The note on pictures that have no mesh; "" if every picture has one."""
    if not without_mesh:
        return ""
    shown = ", ".join(without_mesh[:3]) + (", ..." if len(without_mesh) > 3 else "")
    return f"{len(without_mesh)} frames left out, they have no mesh: {shown}"
