"""Depth estimator fit_3dmm: the face model of the dataset, fitted to one still alone (paper 5.2, Fig. 4).

It is a baseline on studio stills, whose ground truth is a registered mesh. The published depth of a wild clip
is such a fit itself, so that wild frames have no estimate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.metrics.depth_estimators import DepthEstimate, DepthSampling, EstimatorInput, Reads
from model.samples.depth_code import DepthRange
from model.samples.manifest import ManifestRow
from model.samples.pictures import shrink
from rendering.camera import Camera
from rendering.fitting.clip import ClipFitter, clip_fitter
from rendering.fitting.patches import collect_patches
from rendering.fitting.settings import FitSettings
from rendering.skin.settings import SkinSettings
from rendering.skin.surface import skin_mesh
from tasks.evaluation.open_evaluation import Evaluation
from tasks.face_models.files import load_face_model
from tasks.faces.face_landmarker import FaceLandmarker
from tasks.media.video_files import read_frames
from tasks.stages.render_depth import FittedMotion, Subject, skin_pictures
from tasks.store.blobs import Store

CROP_PX = 512
"""Height and width of a published crop."""
REPEATED = 3
"""Number of equal frames that a still stands for: the smoothness terms of the fit need neighbours."""
WILD = "the published depth of a wild clip is itself a 3DMM fit"
NO_FACE = "no face is found in the picture"


@dataclass(frozen=True, slots=True, kw_only=True)
class StillFit:
    """Depth of the face model, fitted to each studio still on its own."""

    name: ClassVar[str] = "fit_3dmm"
    label: ClassVar[str] = "3DMM fitted to the still alone, on what it covers (studio)"
    reads: ClassVar[Reads] = "clip"
    is_random: ClassVar[bool] = False

    store: Store
    fitter: ClipFitter
    side_px: int
    """Height and width of the estimates."""

    def estimate(self, frames: EstimatorInput) -> DepthEstimate:
        """Depth codes on the skin of the fitted face; elsewhere the code is +1 and the mask False."""
        if len(frames.rows) != len(frames):
            raise ValueError(f"{self.name} reads the crop of a clip, and these frames belong to no clip")
        shape = (len(frames), self.side_px, self.side_px)
        codes, mask = torch.ones(shape), torch.zeros(shape, dtype=torch.bool)
        reasons: list[str | None] = []
        with FaceLandmarker() as landmarker:
            for index, row in enumerate(frames.rows):
                fitted = WILD if row.kind == "wild" else self._fitted(row, landmarker)
                if isinstance(fitted, str):
                    reasons.append(fitted)
                else:
                    codes[index], mask[index] = fitted
                    reasons.append(None)
        return DepthEstimate(code=codes, mask=mask, reasons=tuple(reasons))

    def _fitted(self, row: ManifestRow, landmarker: FaceLandmarker) -> tuple[Tensor, Tensor] | str:
        """Depth code and mask (H, W) of a still, or the reason why there is none."""
        (picture,) = read_frames(self.store.checked_blob(row.blobs["crop"]), pixel_format="rgb24", count=1)
        found = landmarker.landmarks(picture, np.array([0, 0, CROP_PX, CROP_PX], np.float32))
        if not found:
            return NO_FACE
        return _depth(self.fitter, row, picture, found[0].landmarks, self.side_px)


def open_still_fit(evaluation: Evaluation, _sampling: DepthSampling, _seed: int) -> StillFit | None:
    """Open the estimator with the face model of the version; None if the evaluation has no studio still."""
    if not bool(evaluation.frames.of_kind("studio").any()):
        return None
    face_model = load_face_model(evaluation.store.checked_blob(evaluation.version.lock.models["face_model"]))
    return StillFit(
        store=evaluation.store,
        fitter=clip_fitter(face_model, FitSettings()),
        side_px=evaluation.side_px,
    )


def _depth(
    fitter: ClipFitter,
    row: ManifestRow,
    picture: NDArray[np.uint8],
    landmarks: NDArray[np.float32],
    side_px: int,
) -> tuple[Tensor, Tensor]:
    """Fit the face model to a still (512, 512, 3) and render its skin: depth code and mask (H, W)."""
    camera = _camera(row)
    clip = np.repeat(landmarks[None], REPEATED, axis=0)
    photometric = fitter.settings.photometric
    patches = None
    if photometric is not None:
        frames = iter([picture] * REPEATED)
        patches = collect_patches(frames, clip, width=CROP_PX, height=CROP_PX, settings=photometric)
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
    # The estimate has a depth range of its own: scores align scale and shift.
    fitted_range = DepthRange(near_m=float(surface.min()), far_m=float(surface.max()))
    pictures = shrink(
        torch.from_numpy(picture)[None], depth_m, depth_m > 0, depth_range=fitted_range, side_px=side_px
    )
    return pictures.code[0], pictures.mask[0]


def _camera(row: ManifestRow) -> Camera:
    assert row.camera_matrix is not None, "published clips have a camera"
    return Camera.from_matrix(row.camera_matrix, width=CROP_PX, height=CROP_PX)
