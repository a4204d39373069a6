"""The exact Gauss-Newton step of the block-arrow system with temporal smoothness.

        | F  C | |dp|     |f|          F: block pentadiagonal (frames and their second differences)
        | C' S | |ds| = - |g|          S: identity and focal, shared by all frames

The arrow structure is that of bundle adjustment (Triggs et al. 2000): few shared unknowns, many that belong
to one frame. F is factored once by a banded Cholesky decomposition; the Schur complement S - C' F^-1 C gives
ds, then dp follows by substitution.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve, cholesky_banded
from scipy.linalg.blas import dtbsv

from rendering.arrays import Float32, Float64
from rendering.fitting.parameters import NormalEquations


@dataclass(frozen=True, slots=True, kw_only=True)
class GaussNewtonStep:
    """A Gauss-Newton step, and the information left on the shared parameters."""

    frame: Float64
    """Step of the frame parameters, (N, P)."""
    shared: Float64
    """Step of identity and log focal, (S + 1,); 0 where a parameter is held."""
    schur: Float64
    """Information on the free shared parameters after all frames are eliminated: S - C' F^-1 C."""
    gradient: Float64
    """Gradient of the free shared parameters after all frames are eliminated."""


def second_differences(frame_vector: Float64) -> Float64:
    """x(t-1) - 2 x(t) + x(t+1): (N, P) -> (max(N - 2, 0), P)."""
    return np.asarray(frame_vector[:-2] - 2 * frame_vector[1:-1] + frame_vector[2:])


def second_difference_gradient(frame_vector: Float64, weights: Float64) -> Float64:
    """D'W D x for the second difference D over frames: (N, P), weights (N - 2, P) -> (N, P)."""
    gradient = np.zeros_like(frame_vector)
    bend = weights * second_differences(frame_vector)
    gradient[:-2] += bend
    gradient[1:-1] -= 2 * bend
    gradient[2:] += bend
    return gradient


def _second_difference_bands(weights: Float64, frames: int) -> Float64:
    """Diagonal, first and second off-diagonal of D'W D, (3, N, P)."""
    bands = np.zeros((3, frames, weights.shape[1]))
    # The rows of D are (1, -2, 1): D'WD has the squares 1, 4, 1 on its diagonal.
    bands[0, :-2] += weights
    bands[0, 1:-1] += 4 * weights
    bands[0, 2:] += weights
    bands[1, :-2] -= 2 * weights
    bands[1, 1:-1] -= 2 * weights
    bands[2, :-2] += weights
    return bands


def _banded(blocks: Float32, smoothness: Float64) -> Float64:
    """Lower banded storage of the frames' matrix: blocks (N, P, P) -> (2 P + 1, N P)."""
    frames, size, _ = blocks.shape
    banded = np.zeros((2 * size + 1, frames, size))
    # LAPACK's lower band storage: row d holds the d-th diagonal below the main one. Frame blocks fill the
    # first rows; smoothness couples a parameter to itself in the next two frames, size and 2 x size rows
    # further.
    for offset in range(size):
        banded[offset, :, : size - offset] = np.diagonal(blocks, offset, axis1=1, axis2=2)
    for distance, band in enumerate(_second_difference_bands(smoothness, frames)):
        banded[distance * size] += band
    return banded.reshape(2 * size + 1, frames * size)


def solve_arrow(equations: NormalEquations, *, smoothness: Float64, shared_free: slice) -> GaussNewtonStep:
    """Solve for one Gauss-Newton step.

    Args:
        equations: data terms and priors; every frame's block must be positive definite.
        smoothness: weights of the frame parameters' squared second differences, (N - 2, P). Its gradient must
            already be part of `equations.frame_gradient`.
        shared_free: which shared parameters move (the focal length, last, usually does not).
    """
    frames, size, _ = equations.frame.shape
    band = 2 * size
    banded = _banded(equations.frame, smoothness)
    factor = cholesky_banded(banded, overwrite_ab=True, lower=True, check_finite=False)
    # F = L L', Y = L^-1 C and y = L^-1 f: S - C' F^-1 C = S - Y' Y, and dp = -L^-T (y + Y ds)
    coupling = equations.coupling[:, :, shared_free].reshape(frames * size, -1)
    columns = coupling.T.astype(np.float64, order="C")
    # One banded triangular solve for each column: linear in the number of frames.
    reach = np.stack([dtbsv(band, factor, column, lower=1) for column in columns])
    solved = dtbsv(band, factor, equations.frame_gradient.reshape(-1), lower=1)
    schur = equations.shared[shared_free, shared_free] - reach @ reach.T
    gradient = equations.shared_gradient[shared_free] - reach @ solved
    free_step = -cho_solve(cho_factor(schur), gradient)
    frame_step = -dtbsv(band, factor, solved + free_step @ reach, lower=1, trans=1)
    shared_step = np.zeros(len(equations.shared_gradient))
    shared_step[shared_free] = free_step
    return GaussNewtonStep(
        frame=frame_step.reshape(frames, size), shared=shared_step, schur=schur, gradient=gradient
    )
