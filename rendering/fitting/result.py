"""The result of fitting a clip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rendering.arrays import Float32
from rendering.fitting.parameters import Parameters
from rendering.fitting.quality import FrameFigures, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class SkinAppearance:
    """Light on the skin and colour of the skin, in the video's own (gamma coded) values."""

    lighting: Float32
    """Spherical harmonics of each channel in camera axes, (9, 3): the mean skin is Y(normal) @ lighting."""
    vertices: NDArray[np.int32]
    """Ids of the sampled vertices, (K,)."""
    albedo: Float32
    """Albedo of each sample relative to the mean skin, (K, 3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipFit:
    """A fitted clip."""

    parameters: Parameters
    figures: FrameFigures
    verdict: Verdict
    appearance: SkinAppearance | None
    """None without the photometric stage."""
    vertex_inlier: Float32 | None
    """(V,) 0..1, low where hair, glasses or a hand hide the skin; None without the photometric stage."""
    used_landmarks: NDArray[np.int32]
    """MediaPipe ids of the landmarks that the landmark error is computed from."""
    apertures_px: Float32
    """Openings of right lids, left lids and lips, fitted and detected, (N, 3, 2) px."""

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The arrays of the clip's .npz file."""
        parameters = self.parameters
        arrays: dict[str, NDArray[np.generic]] = {
            "identity": parameters.identity.astype(np.float32),
            "expression": parameters.expression.astype(np.float32),
            "rotation": parameters.rotation.astype(np.float32),
            "translation": parameters.translation_m.astype(np.float32),
            "focal_px": np.asarray(np.exp(parameters.log_focal), np.float32),
            "landmark_error": self.figures.landmark_error,
            "photometric_error": self.figures.photometric_error,
            "used_landmarks": self.used_landmarks,
            "apertures_px": self.apertures_px,
        }
        if self.appearance is not None and self.vertex_inlier is not None:
            arrays |= {
                "lighting": self.appearance.lighting,
                "albedo_vertices": self.appearance.vertices,
                "albedo": self.appearance.albedo,
                "vertex_inlier": self.vertex_inlier,
            }
        return arrays
