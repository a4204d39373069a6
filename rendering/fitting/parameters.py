"""The unknowns of a fit, and the normal equations that every term of its cost adds to."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rendering.arrays import Float32, Float64

POSE = 6
"""Pose parameters of a frame: rotation vector (3), then x/z, y/z and log z of the head's origin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """One identity and focal length for the clip, an expression and a pose for each frame."""

    identity: Float64
    """(S,) in standard deviations."""
    expression: Float64
    """(N, E) in standard deviations."""
    rotation: Float64
    """(N, 3) rotation vectors, radians."""
    position: Float64
    """(N, 3): x/z, y/z and log z (z in metres) of the model's origin in camera space."""
    log_focal: float
    """Logarithm of the focal length in crop pixels."""

    @property
    def translation_m(self) -> Float64:
        """Camera-space position of the model's origin, (N, 3) m."""
        z = np.exp(self.position[:, 2:])
        return np.concatenate([self.position[:, :2] * z, z], axis=1)

    def moved(self, frame_step: Float64, shared_step: Float64) -> Parameters:
        """Parameters after a Gauss-Newton step: frames (N, E + 6), shared (S + 1,)."""
        modes = self.expression.shape[1]
        return Parameters(
            identity=self.identity + shared_step[:-1],
            expression=self.expression + frame_step[:, :modes],
            rotation=self.rotation + frame_step[:, modes : modes + 3],
            position=self.position + frame_step[:, modes + 3 :],
            log_focal=self.log_focal + float(shared_step[-1]),
        )

    def frames(self, part: slice | NDArray[np.intp]) -> Parameters:
        """The parameters of some of the frames."""
        return replace(
            self,
            expression=self.expression[part],
            rotation=self.rotation[part],
            position=self.position[part],
        )

    def frame_vector(self) -> Float64:
        """Per-frame parameters in the order of the normal equations, (N, E + 6)."""
        return np.concatenate([self.expression, self.rotation, self.position], axis=1)


CHUNK = 32
"""Frames whose dense matrices exist at once: memory stays flat and in cache."""
BLOCK = 8
"""Frames whose rows of the Jacobian exist at once: they are larger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NormalEquations:
    """J'J and J'r summed over terms: a block arrow, with one block for each frame and one shared by all."""

    frame: Float32
    """(N, P, P), P = E + 6."""
    coupling: Float32
    """Frame parameters against identity and log focal, (N, P, S + 1)."""
    shared: Float64
    """(S + 1, S + 1)."""
    frame_gradient: Float64
    """(N, P)."""
    shared_gradient: Float64
    """(S + 1,)."""

    @classmethod
    def zeros(cls, parameters: Parameters) -> NormalEquations:
        """Normal equations without any term."""
        frames, modes = parameters.expression.shape
        size, shared = modes + POSE, len(parameters.identity) + 1
        return cls(
            frame=np.zeros((frames, size, size), np.float32),
            coupling=np.zeros((frames, size, shared), np.float32),
            shared=np.zeros((shared, shared)),
            frame_gradient=np.zeros((frames, size)),
            shared_gradient=np.zeros(shared),
        )

    def add(self, frames: slice, normals: Float32) -> None:
        """Add dense J'J of some frames: (n, P + S + 2, P + S + 2), the residual last."""
        size = self.frame.shape[1]
        self.frame[frames] += normals[:, :size, :size]
        self.coupling[frames] += normals[:, :size, size:-1]
        self.frame_gradient[frames] += normals[:, :size, -1]
        # What the frames share is summed over up to thousands of them: in float64.
        summed = normals[:, size:, size:].sum(axis=0, dtype=np.float64)
        self.shared[:] += summed[:-1, :-1]
        self.shared_gradient[:] += summed[:-1, -1]

    def add_rows(self, frames: slice, rows: Float32) -> None:
        """Add rows of J with the residual last, (n, rows, P + S + 2)."""
        # numpy recognises a matrix times its own transpose and computes only half of it
        self.add(frames, np.matmul(rows.transpose(0, 2, 1), rows))


def chunks(frames: int, *, size: int = CHUNK) -> list[slice]:
    """Slices of at most `size` frames that cover all frames."""
    return [slice(first, min(first + size, frames)) for first in range(0, frames, size)]
