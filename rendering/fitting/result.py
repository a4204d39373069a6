"""What the fit of a clip gives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rendering.fitting.parameters import Parameters
from rendering.fitting.quality import FrameFigures, Verdict

Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class SkinAppearance:
    """Colour of the skin under the clip's light, in the video's own (gamma coded) values."""

    lighting: Float32
    """(9, 3): spherical harmonics a channel, camera axes; shading of the mean skin = Y(normal) @ lighting."""
    vertices: NDArray[np.int32]
    """Vertex ids that were sampled, (K,)."""
    albedo: Float32
    """(K, 3), relative to the mean skin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipFit:
    """A fitted clip."""

    parameters: Parameters
    figures: FrameFigures
    verdict: Verdict
    appearance: SkinAppearance | None
    """None without the photometric stage."""
    vertex_inlier: Float32 | None
    """(V,) 0..1: low where something hides the skin; None without the photometric stage."""
    used_landmarks: NDArray[np.int32]
    """MediaPipe ids that the errors are over."""
    apertures_px: Float32
    """(N, 3, 2): right lids, left lids, lips; fitted, detected."""

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
