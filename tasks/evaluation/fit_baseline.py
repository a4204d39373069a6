"""The 3DMM fit as a baseline on studio stills: one picture, the data set's own face model.

On wild clips it would be compared with itself: their published depth is the fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.samples.depth_code import DepthRange
from model.samples.manifest import ManifestRow
from model.samples.pictures import shrink
from rendering.camera import Camera
from rendering.fitting.clip import ClipFitter, clip_fitter
from rendering.fitting.patches import collect_patches
from rendering.fitting.settings import FitSettings
from rendering.skin.settings import SkinSettings
from rendering.skin.surface import skin_mesh
from tasks.face_models.files import load_face_model
from tasks.faces.face_landmarker import FaceLandmarker
from tasks.media.video_files import read_frames
from tasks.stages.render_depth import FittedMotion, Subject, skin_pictures
from tasks.store.blobs import Store
from tasks.store.versions import Version

SIDE_PX = 512
REPEATED = 3
"""A clip needs neighbours for its smoothness: the still stands for three equal frames."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StillFits:
    """Fitted depth of stills."""

    code: Tensor
    """(B, H, W) depth codes; +1 where the fitted face is not."""
    cover: Tensor
    """(B, H, W) bool, where it is; nowhere for wild clips and where no face was found."""


def fit_stills(version: Version, store: Store, rows: Sequence[ManifestRow], *, side_px: int) -> StillFits:
    """Fit each studio still of the rows alone; others are left out."""
    face_model = load_face_model(store.checked_blob(version.lock.models["face_model"]))
    fitter = clip_fitter(face_model, FitSettings())
    codes = torch.ones(len(rows), side_px, side_px)
    cover = torch.zeros(len(rows), side_px, side_px, dtype=torch.bool)
    with FaceLandmarker() as landmarker:
        for index, row in enumerate(rows):
            if row.kind != "studio":
                continue
            (picture,) = read_frames(store.checked_blob(row.blobs["crop"]), pixel_format="rgb24", count=1)
            found = landmarker.landmarks(picture, np.array([0, 0, SIDE_PX, SIDE_PX], np.float32))
            if found:
                codes[index], cover[index] = _depth(fitter, row, picture, found[0].landmarks, side_px)
    return StillFits(code=codes, cover=cover)


def _depth(
    fitter: ClipFitter,
    row: ManifestRow,
    picture: NDArray[np.uint8],
    landmarks: NDArray[np.float32],
    side_px: int,
) -> tuple[Tensor, Tensor]:
    camera = _camera(row)
    clip = np.repeat(landmarks[None], REPEATED, axis=0)
    photometric = fitter.settings.photometric
    patches = None
    if photometric is not None:
        frames = iter([picture] * REPEATED)
        patches = collect_patches(frames, clip, width=SIDE_PX, height=SIDE_PX, settings=photometric)
    fit = fitter.fit(clip, np.ones(REPEATED, np.float32), camera=camera, patches=patches)
    face = fitter.face_model
    neutral_m = face.mean + np.tensordot(fit.parameters.identity, face.identity_basis, axes=1)
    subject = Subject(
        mesh=skin_mesh(face.triangles, face.skin_triangles),
        motion=FittedMotion(
            face_model=face,
            neutral_m=np.asarray(neutral_m, np.float32),
            expression=np.asarray(fit.parameters.expression, np.float32),
            rotation=fit.parameters.rotation,
            translation_m=fit.parameters.translation_m,
        ),
        camera=camera,
        mask_source="mesh",
    )
    skin = next(skin_pictures(subject, SkinSettings()))
    depth_m = torch.from_numpy(skin.depth_m)[None]
    surface = depth_m[depth_m > 0]
    fitted_range = DepthRange(near_m=float(surface.min()), far_m=float(surface.max()))
    pictures = shrink(
        torch.from_numpy(picture)[None], depth_m, depth_m > 0, depth_range=fitted_range, side_px=side_px
    )
    return pictures.code[0], pictures.mask[0]


def _camera(row: ManifestRow) -> Camera:
    assert row.camera_matrix is not None, "published clips have a camera"
    matrix = np.reshape(row.camera_matrix, (3, 3))
    return Camera(
        focal_x_px=float(matrix[0, 0]),
        focal_y_px=float(matrix[1, 1]),
        center_x_px=float(matrix[0, 2]),
        center_y_px=float(matrix[1, 2]),
        width=SIDE_PX,
        height=SIDE_PX,
    )
