"""The fit's speed and accuracy, as one JSON object.

python -m benchmarks.fitting --face-model F/ict.npz [--ict-arrays ict_facekit_light.npz] [--clips FOLDER]

Speed and real clips need --clips (512 px crops of talking faces; others are left out), accuracy against
ground truth needs --ict-arrays (the array file with ICT-FaceKit's full basis).
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.fitting_clips import FullFace, SyntheticClip, make_clip
from rendering.arrays import Array
from rendering.camera import Camera
from rendering.face_model import FaceModel
from rendering.fitting.clip import ClipFitter, clip_fitter
from rendering.fitting.focal import prior_focal_px
from rendering.fitting.landmark_model import landmark_model
from rendering.fitting.parameters import Parameters
from rendering.fitting.patches import Patches, collect_patches
from rendering.fitting.result import ClipFit
from rendering.fitting.rotations import rotation_matrices
from rendering.fitting.settings import FitSettings, FocalSettings, PhotometricSettings
from rendering.fitting.start import start_parameters
from rendering.rasterizers.rasterize import rasterize
from tasks.face_models.files import load_face_model

CHUNK = 8
PHOTOMETRIC = PhotometricSettings()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A clip's pictures and what the detector finds in them."""

    frames: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    camera: Camera

    def patches(self) -> Patches:
        """What the photometric stage keeps."""
        return collect_patches(
            iter(self.frames),
            self.landmarks,
            width=self.camera.width,
            height=self.camera.height,
            settings=PHOTOMETRIC,
        )

    def fit(self, fitter: ClipFitter, *, photometric: bool = True) -> ClipFit:
        """Fit it."""
        presence = np.ones(len(self.landmarks), np.float32)
        patches = self.patches() if photometric else None
        return fitter.fit(self.landmarks, presence, camera=self.camera, patches=patches)


def detect(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """MediaPipe's landmarks in image mode, (N, 478, 3) px; the last good ones where it finds no face."""
    import mediapipe

    height, width = frames.shape[1:3]
    found: list[Array] = []
    with mediapipe.solutions.face_mesh.FaceMesh(static_image_mode=True, refine_landmarks=True) as face_mesh:
        for frame in frames:
            faces = face_mesh.process(frame).multi_face_landmarks
            if faces:
                found.append(np.array([(p.x, p.y, p.z) for p in faces[0].landmark]) * (width, height, width))
            else:
                found.append(found[-1])
    return np.asarray(found, dtype=np.float32)


def true_landmarks(clip: SyntheticClip, model: FaceModel, irises: Array) -> NDArray[np.float32]:
    """Where the embedded landmarks really are, with relative depth as the detector gives it."""
    points = model.landmark_points(clip.vertices_m)
    points[:, 468:] = points[:, 33:34]
    depth = points[..., 2]
    middle = depth.mean(axis=1, keepdims=True)
    relative = (depth - middle) * clip.camera.focal_x_px / middle
    landmarks = np.concatenate([clip.camera.project(points), relative[..., None]], axis=-1)
    landmarks[:, 468:] = irises
    return np.asarray(landmarks, dtype=np.float32)


def camera_vertices(model: FaceModel, parameters: Parameters) -> NDArray[np.float32]:
    """Fitted vertices in camera space, (N, V, 3) m."""
    head = model.vertices(parameters.identity.astype(np.float32), parameters.expression.astype(np.float32))
    turned = np.matmul(head, rotation_matrices(parameters.rotation).transpose(0, 2, 1).astype(np.float32))
    return np.asarray(turned + parameters.translation_m[:, None], dtype=np.float32)


def depth_error_mm(model: FaceModel, fitted: Array, true: Array, camera: Camera) -> float:
    """Rms depth difference on the skin seen by both, after scale and shift a frame, mean over frames."""
    small = camera.cropped(np.diag([0.25, 0.25, 1.0]), camera.width // 4, camera.height // 4)
    skin = model.triangles[model.skin_triangles]
    errors = []
    for first in range(0, len(fitted), CHUNK):
        part = slice(first, first + CHUNK)
        found, truth = (rasterize(v[part], skin, small).depth_m for v in (fitted, true))
        for ours, theirs in zip(found, truth, strict=True):
            both = (ours > 0) & (theirs > 0)
            x, y = ours[both].astype(np.float64), theirs[both].astype(np.float64)
            rows = np.stack([x, np.ones_like(x)], axis=1)
            scale = np.linalg.lstsq(rows, y, rcond=None)[0]
            errors.append(np.sqrt(np.mean((rows @ scale - y) ** 2)))
    return float(np.mean(errors)) * 1e3


def jitter_mm(model: FaceModel, fitted: Array, true: Array) -> float:
    """Rms second difference over frames of (fitted - true) depth of the skin's vertices."""
    skin = np.unique(model.triangles[model.skin_triangles])
    error = fitted[:, skin, 2] - true[:, skin, 2]
    return float(np.sqrt(np.mean(np.diff(error.astype(np.float64), 2, axis=0) ** 2))) * 1e3


def synthetic(fitter: ClipFitter, face: FullFace, seeds: int) -> dict[str, Any]:
    """Accuracy against ground truth, means over the seeds."""
    model = fitter.face_model
    rows = []
    for seed in range(seeds):
        clip = make_clip(face, model, seed)
        seen = Seen(frames=clip.frames, landmarks=detect(clip.frames), camera=clip.camera)
        exact = Seen(
            frames=clip.frames,
            landmarks=true_landmarks(clip, model, seen.landmarks[:, 468:]),
            camera=clip.camera,
        )
        fitted = seen.fit(fitter)
        vertices = camera_vertices(model, fitted.parameters)
        found = {
            "mean_face_mm": mean_face(model, seen),
            "landmark_stage_mm": seen.fit(fitter, photometric=False).parameters,
            "detected_landmarks_mm": fitted.parameters,
            "true_landmarks_mm": exact.fit(fitter).parameters,
        }
        row = {
            name: depth_error_mm(model, camera_vertices(model, one), clip.vertices_m, clip.camera)
            for name, one in found.items()
        }
        rows.append(
            row
            | {
                "jitter_mm": jitter_mm(model, vertices, clip.vertices_m),
                "landmark_nme_percent": 100 * nme(fitted),
            }
        )
    means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    ratio = means["detected_landmarks_mm"] / means["mean_face_mm"]
    return means | {"detected_over_mean_face": ratio, "worst_detected_mm": worst(rows), "clips": seeds}


def worst(rows: list[dict[str, float]]) -> float:
    """Of the clips' depth errors with detected landmarks."""
    return max(row["detected_landmarks_mm"] for row in rows)


def mean_face(model: FaceModel, seen: Seen) -> Parameters:
    """The baseline: the mean face, posed in closed form."""
    return start_parameters(
        landmark_model(model),
        seen.landmarks,
        np.ones(len(seen.landmarks), np.float32),
        camera=seen.camera,
        identity_modes=len(model.identity_basis),
    )


def nme(fit: ClipFit) -> float:
    """Rms over frames of the landmark error."""
    return float(np.sqrt(np.mean(fit.figures.landmark_error.astype(np.float64) ** 2)))


def real_clips(folder: Path) -> Iterator[tuple[str, Seen]]:
    """Square clips of the folder: those are face crops already."""
    for path in sorted(folder.glob("*.mp4")):
        video = cv2.VideoCapture(str(path))
        frames = []
        while (got := video.read())[0]:
            frames.append(cv2.cvtColor(got[1], cv2.COLOR_BGR2RGB))
        height, width = frames[0].shape[:2]
        if height == width:
            stack = np.stack(frames)
            camera = Camera.centered(prior_focal_px(width, height, FocalSettings()), width, height)
            yield path.stem, Seen(frames=stack, landmarks=detect(stack), camera=camera)


def real(fitter: ClipFitter, seen: Seen) -> dict[str, Any]:
    """Figures of one real clip."""
    fit = seen.fit(fitter)
    lids, lips = fit.apertures_px[:, :2].mean(axis=1), fit.apertures_px[:, 2]
    closed = np.percentile(lids, 5, axis=0)
    unit = np.linalg.norm(seen.landmarks[:, 33, :2] - seen.landmarks[:, 263, :2], axis=1).mean()
    shut = lips[:, 1] <= np.percentile(lips[:, 1], 5)
    return {
        "frames": len(seen.frames),
        "landmark_nme_percent": 100 * nme(fit),
        "landmark_stage_nme_percent": 100 * nme(seen.fit(fitter, photometric=False)),
        "lids_closed_fitted_over_detected": float(closed[0] / closed[1]),
        "closed_lips_fitted_percent_of_eye_distance": float(100 * lips[shut, 0].mean() / unit),
        "closed_lips_detected_percent_of_eye_distance": float(100 * lips[shut, 1].mean() / unit),
        "photometric_error": float(fit.figures.photometric_error.mean()),
        "kept_frames": fit.verdict.frames,
    }


def speed(fitter: ClipFitter, seen: Seen, rounds: int = 3) -> dict[str, float]:
    """CPU ms a frame, one thread, the best of some rounds: with pictures reduced, figures and inliers."""

    def cpu_ms(photometric: bool) -> float:
        times = []
        for _ in range(rounds):
            start = time.process_time()
            seen.fit(fitter, photometric=photometric)
            times.append(time.process_time() - start)
        return 1e3 * min(times) / len(seen.frames)

    return {"landmark_stage_ms": cpu_ms(False), "with_photometric_ms": cpu_ms(True)}


def rounded(value: Any) -> Any:
    """Five digits."""
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    return float(f"{value:.5g}") if isinstance(value, float) else value


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--face-model", type=Path, help="native .npz")
    parser.add_argument("--ict-arrays", type=Path, help="ICT-FaceKit's full basis (array file)")
    parser.add_argument("--clips", type=Path, help="folder of square talking clips")
    parser.add_argument("--seeds", type=int, default=8, help="synthetic clips")
    options = parser.parse_args()
    if options.face_model is None:
        print(json.dumps({"benchmark": "fitting", "skipped": "no --face-model"}))
        return
    fitter = clip_fitter(load_face_model(options.face_model), FitSettings())
    figures: dict[str, Any] = {"benchmark": "fitting", "used_landmarks": len(fitter.landmarks.ids)}
    figures |= {"speed": "skipped: no --clips", "real": "skipped: no --clips"}
    figures["synthetic"] = "skipped: no --ict-arrays"
    if options.clips:
        clips = dict(real_clips(options.clips))
        figures["real"] = {name: real(fitter, seen) for name, seen in clips.items()}
        figures["speed"] = speed(fitter, max(clips.values(), key=lambda seen: len(seen.frames)))
    if options.ict_arrays:
        figures["synthetic"] = synthetic(fitter, FullFace.load(options.ict_arrays), options.seeds)
    print(json.dumps(rounded(figures)))


if __name__ == "__main__":
    main()
