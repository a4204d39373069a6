"""The rig.json of a studio set: its units and conventions, and its calibrated cameras.

The format is defined in docs/formats/generic_rig.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from model.settings import Record
from tasks.sources.capture_files import convert_camera
from tasks.sources.source import CaptureCamera

UNITS_M = {"m": 1.0, "cm": 0.01, "mm": 0.001}


class RigCameraEntry(Record):
    """One camera of rig.json."""

    id: str
    """Name of the camera and of its image folder."""
    size: tuple[int, int]
    """(width, height) of the images, px."""
    K: tuple[tuple[float, ...], ...]
    """Intrinsic matrix as 3x3 rows, px."""
    dist: tuple[float, ...]
    """0, 4, 5 or 8 distortion coefficients."""
    w2c: tuple[tuple[float, ...], ...]
    """World to camera, as 4x4 rows."""


class Rig(Record):
    """Content of rig.json."""

    format: Literal["generic-rig"]
    version: Literal[1]
    units: Literal["m", "cm", "mm"]
    convention: Literal["opencv", "opengl"]
    pixel_origin: Literal["center", "corner"]
    cameras: tuple[RigCameraEntry, ...]
    template: str | None = None
    face_vertex_ids: str | None = None
    licence: str | None = None
    provenance: str | None = None


def read_rig(root: Path) -> Rig:
    """Read the rig.json of a set.

    Raises:
        ValueError: the file is missing or wrong; the message names the field.
    """
    path = root / "rig.json"
    try:
        rig = Rig.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}; a generic rig needs it") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{path}: {where}: {first['msg']} ({error.error_count()} errors)") from error
    ids = [camera.id for camera in rig.cameras]
    if not ids or len(set(ids)) < len(ids):
        raise ValueError(f"{path}: cameras {ids}: need at least one camera, and each id only once")
    return rig


def rig_cameras(rig: Rig, root: Path) -> dict[str, CaptureCamera]:
    """The cameras of a set by id, in OpenCV axes, metres and the corner pixel origin.

    Raises:
        ValueError: a camera cannot be converted; the message names it.
    """
    cameras = {}
    for camera in rig.cameras:
        try:
            cameras[camera.id] = convert_camera(
                camera.K,
                distortion=camera.dist,
                world_to_camera=camera.w2c,
                size=camera.size,
                unit_m=UNITS_M[rig.units],
                convention=rig.convention,
                pixel_origin=rig.pixel_origin,
            )
        except ValueError as error:
            raise ValueError(f"{root / 'rig.json'}: camera {camera.id!r}: {error}") from error
    return cameras
