"""Stage fit: the face model fitted to every frame of a clip, one identity a clip."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rendering.camera import Camera
from rendering.fitting.clip import ClipFitter, clip_fitter
from rendering.fitting.patches import collect_patches
from rendering.fitting.result import ClipFit
from rendering.fitting.rotations import rotation_matrices
from rendering.fitting.settings import FitSettings
from tasks.face_models.files import load_face_model
from tasks.media.video_files import read_frames, write_video
from tasks.reasons import Reason, Rejected
from tasks.stage import Json, Stage, StageInput, StageOutput

CROP_SIDE_PX = 512


def run(stage_input: StageInput, settings: FitSettings) -> StageOutput:
    """Fit the clip; where the track is lost, keep and refit the longest part before or after.

    Raises:
        Rejected: lost_track, where no part is long enough.
    """
    fitter = _fitter(stage_input.blobs["face_model"], settings)
    clip = CroppedClip.load(stage_input)
    whole = len(clip.landmarks)
    fit = clip.fit(fitter)
    detail = fit.verdict.detail
    while fit.verdict.frames < len(clip.landmarks):
        if fit.verdict.frames < settings.quality.least_frames:
            raise Rejected(
                Reason.LOST_TRACK,
                f"longest tracked part has {fit.verdict.frames} of {whole} frames, "
                f"need {settings.quality.least_frames}: {detail}",
            )
        clip = clip.part(fit.verdict.first_frame, fit.verdict.frames)
        fit = clip.fit(fitter)
    files = {"fit": stage_input.scratch / "fit.npz"}
    np.savez(files["fit"], **fit.arrays())
    values = fit_values(fit, clip.camera)
    if len(clip.landmarks) < whole:
        files |= clip.write(stage_input.scratch)
        first = int(stage_input.values.get("first_frame", 0)) + clip.first
        values |= {"first_frame": first, "frames": len(clip.landmarks), "lost_track": detail}
    return StageOutput(files=files, values=values)


@dataclass(frozen=True, slots=True, kw_only=True)
class CroppedClip:
    """Result of the crop stage, or a part of it."""

    video: Path
    first: int
    """Number of the first frame of the part in the video."""
    arrays: dict[str, NDArray[np.generic]]
    """Arrays of the landmark file for the frames of the part."""
    camera: Camera

    @classmethod
    def load(cls, stage_input: StageInput) -> CroppedClip:
        """Load the whole clip."""
        with np.load(stage_input.blobs["crop_landmarks"], allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        camera = crop_camera(stage_input.values)
        return cls(video=stage_input.blobs["crop"], first=0, arrays=arrays, camera=camera)

    @property
    def landmarks(self) -> NDArray[np.float32]:
        """Landmarks, (N, 478, 3) crop px."""
        return np.asarray(self.arrays["landmarks"], dtype=np.float32)

    def part(self, first: int, frames: int) -> CroppedClip:
        """Return some frames of this part."""
        arrays = {name: array[first : first + frames] for name, array in self.arrays.items()}
        return replace(self, first=self.first + first, arrays=arrays)

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        """Read the RGB frames of the part, one at a time."""
        return read_frames(self.video, pixel_format="rgb24", start=self.first, count=len(self.landmarks))

    def fit(self, fitter: ClipFitter) -> ClipFit:
        """Fit the face model to this part."""
        patches = None
        if fitter.settings.photometric is not None:
            patches = collect_patches(
                self.frames(),
                self.landmarks,
                width=self.camera.width,
                height=self.camera.height,
                settings=fitter.settings.photometric,
            )
        presence = np.asarray(self.arrays["presence"], dtype=np.float32)
        return fitter.fit(self.landmarks, presence, camera=self.camera, patches=patches)

    def write(self, folder: Path) -> dict[str, Path]:
        """Write the part as a crop video and a landmark file."""
        video, landmarks = folder / "crop.mp4", folder / "crop_landmarks.npz"
        write_video(video, self.frames(), profile="crop")
        np.savez(landmarks, **self.arrays)
        return {"crop": video, "crop_landmarks": landmarks}


def crop_camera(values: Mapping[str, Json]) -> Camera:
    """Return the camera of the full frame, shifted and scaled to the crop."""
    width, height = values["frame_width"], values["frame_height"]
    camera = Camera.centered(values["focal_ratio"] * max(width, height), width, height)
    transform = np.reshape(np.array(values["crop_transform"], dtype=np.float64), (3, 3))
    side = values.get("crop_side_px", CROP_SIDE_PX)
    return camera.cropped(transform, side, side)


def fit_values(fit: ClipFit, camera: Camera) -> dict[str, Json]:
    """Return the figures for the manifest row and the depth stage."""
    facing = rotation_matrices(fit.parameters.rotation)[:, :, 2]
    yaw = np.degrees(np.arctan2(-facing[:, 0], facing[:, 2]))
    lids, lips = fit.apertures_px[:, :2].mean(axis=1), fit.apertures_px[:, 2]
    return {
        "camera_matrix": [float(entry) for entry in camera.matrix.ravel()],
        "landmark_nme": _rounded(np.sqrt(np.mean(fit.figures.landmark_error.astype(np.float64) ** 2))),
        "photometric_error": None
        if fit.appearance is None
        else _rounded(fit.figures.photometric_error.mean()),
        "yaw_min_deg": _rounded(yaw.min()),
        "yaw_max_deg": _rounded(yaw.max()),
        "lids_closed_px": [_rounded(value) for value in np.percentile(lids, 5, axis=0)],
        "lips_closed_px": [_rounded(value) for value in np.percentile(lips, 5, axis=0)],
        "hidden_skin": None if fit.vertex_inlier is None else _rounded(1 - fit.vertex_inlier.mean()),
    }


@lru_cache(maxsize=1)
def _fitter(face_model: Path, settings: FitSettings) -> ClipFitter:
    """Blobs are named by their content: a path stands for one face model."""
    return clip_fitter(load_face_model(face_model), settings)


def _rounded(value: Any) -> float:
    return round(float(value), 6)


STAGE = Stage(
    name="fit",
    version=3,
    run=run,
    settings_type=FitSettings,
    tools=("ffmpeg", "numba", "numpy", "opencv-contrib-python", "scipy"),
)
