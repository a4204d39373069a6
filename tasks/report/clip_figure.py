"""The contact sheet of one clip, drawn from its published files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from model.samples.manifest import ManifestRow
from rendering.camera import Camera
from rendering.face_model import FaceModel
from rendering.fitting.rotations import rotation_matrix
from tasks.face_models.files import load_face_model
from tasks.media.video_files import read_audio, read_chosen
from tasks.report import contact_sheet
from tasks.report.color_bar import draw_color_bar
from tasks.report.facts import ClipFiles
from tasks.report.waveform import Curve, draw_track, mouth_opening

Mesh = tuple[NDArray[np.float32], NDArray[np.int32]]
"""Camera-space vertices of the shown frames, (K, V, 3) m, and the triangles of the skin, (S, 3)."""

COLUMNS = 6
CROP_PX = 512
TRACK_WIDTH = 1056.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipStrip:
    """A row of pictures with a title."""

    label: str
    tiles: tuple[str, ...]
    """Pictures as data URIs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipFigure:
    """All drawings of one clip."""

    row: ManifestRow
    columns: tuple[str, ...]
    """Label of each shown frame: its time or number."""
    strips: tuple[ClipStrip, ...]
    color_bar: Markup | None
    track: Markup | None


def build_clip_figure(row: ManifestRow, files: ClipFiles) -> ClipFigure:
    """Draw one published row. A drawing whose file the row does not have is left out."""
    shown = contact_sheet.shown_frames(row.frames or 1, COLUMNS)
    fps = row.fps
    columns = tuple(f"{(k + 0.5) / fps:.2f} s" if fps else f"frame {k + 1}" for k in shown)
    crops = read_chosen(files["crop"], shown, pixel_format="rgb24")
    strips = (
        _source_strip(row, files, shown),
        _strip("crop", crops, contact_sheet.square_tile),
        _landmark_strip(files, crops, shown),
        _mesh_strip(row, files, crops, shown),
        _depth_strip(row, files, crops, shown),
        _mask_strip(files, crops, shown),
    )
    near_m, far_m = row.depth_near_m, row.depth_far_m
    return ClipFigure(
        row=row,
        columns=columns,
        strips=tuple(strip for strip in strips if strip is not None),
        color_bar=None if near_m is None or far_m is None else draw_color_bar(near_m=near_m, far_m=far_m),
        track=draw_track(_track(row, files, shown, fps), width=TRACK_WIDTH) if fps else None,
    )


def _strip(
    label: str, frames: Sequence[NDArray[Any]], tile: Callable[[NDArray[Any]], contact_sheet.Image]
) -> ClipStrip:
    return ClipStrip(label=label, tiles=tuple(contact_sheet.data_uri(tile(frame)) for frame in frames))


def _source_strip(row: ManifestRow, files: ClipFiles, shown: Sequence[int]) -> ClipStrip | None:
    if "video" not in files or row.crop_transform is None:
        return None
    transform = np.reshape(row.crop_transform, (3, 3))
    frames = read_chosen(files["video"], [(row.first_frame or 0) + k for k in shown], pixel_format="rgb24")
    return _strip(
        "source", frames, lambda frame: contact_sheet.source_tile(frame, transform, crop_px=CROP_PX)
    )


def _landmark_strip(
    files: ClipFiles, crops: Sequence[NDArray[Any]], shown: Sequence[int]
) -> ClipStrip | None:
    if "crop_landmarks" not in files:
        return None
    landmarks = _load_landmarks(files["crop_landmarks"])[list(shown)]
    tiles = [contact_sheet.landmark_tile(crop, points) for crop, points in zip(crops, landmarks, strict=True)]
    return ClipStrip(label="landmarks", tiles=tuple(map(contact_sheet.data_uri, tiles)))


def _mesh_strip(
    row: ManifestRow, files: ClipFiles, crops: Sequence[NDArray[Any]], shown: Sequence[int]
) -> ClipStrip | None:
    mesh = _captured_mesh(files, shown) or _fitted_mesh(files, shown)
    if mesh is None or row.camera_matrix is None:
        return None
    posed, triangles = mesh
    camera = Camera.from_matrix(row.camera_matrix, width=CROP_PX, height=CROP_PX)
    tiles = [
        contact_sheet.mesh_tile(crop, vertices, triangles, camera)
        for crop, vertices in zip(crops, posed, strict=True)
    ]
    return ClipStrip(label="mesh", tiles=tuple(map(contact_sheet.data_uri, tiles)))


def _captured_mesh(files: ClipFiles, shown: Sequence[int]) -> Mesh | None:
    """Return the registered mesh of a studio capture."""
    if "capture" not in files:
        return None
    with np.load(files["capture"], allow_pickle=False) as arrays:
        skin = np.ascontiguousarray(arrays["triangles"][arrays["skin_triangles"]])
        return arrays["vertices"][list(shown)], skin


def _fitted_mesh(files: ClipFiles, shown: Sequence[int]) -> Mesh | None:
    """Return the face model in the poses of the fit."""
    if "fit" not in files or "face_model" not in files:
        return None
    face_model = _face_model(files["face_model"])
    skin = np.ascontiguousarray(face_model.triangles[face_model.skin_triangles])
    return posed_vertices(face_model, files["fit"], shown), skin


def _depth_strip(
    row: ManifestRow, files: ClipFiles, crops: Sequence[NDArray[Any]], shown: Sequence[int]
) -> ClipStrip | None:
    scale, offset, near, far = row.depth_scale_m, row.depth_offset_m, row.depth_near_m, row.depth_far_m
    if "depth" not in files or scale is None or offset is None or near is None or far is None:
        return None
    stored = read_chosen(files["depth"], shown, pixel_format="gray16le")
    metres = [np.where(values > 0, offset + scale * values.astype(np.float64), 0.0) for values in stored]
    tiles = [
        contact_sheet.depth_tile(crop, depth_m, near_m=near, far_m=far)
        for crop, depth_m in zip(crops, metres, strict=True)
    ]
    return ClipStrip(label="depth", tiles=tuple(map(contact_sheet.data_uri, tiles)))


def _mask_strip(files: ClipFiles, crops: Sequence[NDArray[Any]], shown: Sequence[int]) -> ClipStrip | None:
    if "mask" not in files:
        return None
    masks = read_chosen(files["mask"], shown, pixel_format="gray")
    tiles = [contact_sheet.mask_tile(crop, mask) for crop, mask in zip(crops, masks, strict=True)]
    return ClipStrip(label="mask", tiles=tuple(map(contact_sheet.data_uri, tiles)))


def posed_vertices(face_model: FaceModel, fit: Path, shown: Sequence[int]) -> NDArray[np.float32]:
    """Camera-space vertices of the shown frames, (K, V, 3) m."""
    with np.load(fit, allow_pickle=False) as arrays:
        expression, rotation, translation = (
            arrays[name][list(shown)] for name in ("expression", "rotation", "translation")
        )
        vertices = face_model.vertices(arrays["identity"], expression)
    turns = np.stack([rotation_matrix(vector.astype(np.float64)) for vector in rotation])
    return np.asarray(np.einsum("kij,kvj->kvi", turns, vertices) + translation[:, None], dtype=np.float32)


def _track(row: ManifestRow, files: ClipFiles, shown: Sequence[int], fps: float) -> Curve:
    frames = row.frames or 1
    mouth = mouth_opening(_load_landmarks(files["crop_landmarks"])) if "crop_landmarks" in files else None
    return Curve(
        duration_s=frames / fps,
        samples=read_audio(files["clip_audio"]) if "clip_audio" in files else None,
        mouth=mouth,
        shown_s=tuple((k + 0.5) / fps for k in shown),
    )


def _load_landmarks(path: Path) -> NDArray[np.float32]:
    with np.load(path, allow_pickle=False) as arrays:
        return np.asarray(arrays["landmarks"])


@lru_cache(maxsize=2)
def _face_model(path: Path) -> FaceModel:
    return load_face_model(path)
