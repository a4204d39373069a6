"""How a landmark detector errs in the same way on every face, as a function of where the face looks.

MediaPipe shows a nodding head a third less nodding than it is. On renders of a face model the truth is
known: each landmark's offset (detected minus projected) is regressed on the direction the head is seen from,
once a face model. The fit then expects a landmark where the detector will show it, not where it is.
"""

from __future__ import annotations

import numpy as np

from rendering.arrays import Array, Float32, Float64

ORDER = 3
"""Degree of the polynomial in the two components of the view direction."""
TERMS = (ORDER + 1) * (ORDER + 2) // 2
REACH = (0.7, 0.42)
"""Sines of the largest yaw and pitch of the renders; the bias further out is that at the border."""
ROUNDS = 5
MOST_RESIDUAL = 2.5
"""Renders whose landmarks lie this many times the median off the regression are left out: there it erred."""


def view_polynomial(directions: Array) -> Float64:
    """Monomials of view directions, unit vectors from head to camera in head space: (N, 3) -> (N, TERMS)."""
    across, down = (np.clip(directions[:, axis], -reach, reach) for axis, reach in enumerate(REACH))
    powers = [(i, j) for i in range(ORDER + 1) for j in range(ORDER + 1 - i)]
    return np.stack([across**i * down**j for i, j in powers], axis=1).astype(np.float64)


def learn_bias(offsets: Array, directions: Array, rotations: Array) -> Float32:
    """Least squares over renders, without those where the detector lost the face.

    Args:
        offsets: detected minus projected landmarks in units of the outer eye corners' distance, image axes,
            (M, L, 2); NaN where a landmark is not embedded.
        directions: from head to camera in head space, (M, 3).
        rotations: head to camera, (M, 3, 3).

    Returns:
        Coefficients, (TERMS, L, 2); 0 where a landmark is not embedded.

    Raises:
        ValueError: there are too few renders for the polynomial.
    """
    if len(offsets) < 4 * TERMS:
        raise ValueError(f"{len(offsets)} renders, need {4 * TERMS} to learn the detector's bias")
    rows, known = view_polynomial(directions), np.isfinite(offsets).all(axis=(0, 2))
    # row vectors: times the roll is turned back by it
    seen = np.where(known[:, None], offsets, 0.0) @ _rolls(rotations)
    kept = np.ones(len(seen), bool)
    for _ in range(ROUNDS):
        flat = seen[kept].reshape(kept.sum(), -1)
        coefficients = np.linalg.lstsq(rows[kept], flat, rcond=None)[0].reshape(TERMS, -1, 2)
        misfit = np.sqrt(((seen - np.tensordot(rows, coefficients, axes=1)) ** 2).sum(axis=2).mean(axis=1))
        kept = misfit <= MOST_RESIDUAL * np.median(misfit)
    return np.asarray(coefficients, np.float32)


def expected_offsets(coefficients: Array, directions: Array, rotations: Array) -> Float64:
    """Where the detector shows the landmarks relative to where they are, in eye distances of the image.

    Args:
        coefficients: learn_bias's, (TERMS, L, 2).
        directions: from head to camera in head space, (N, 3).
        rotations: head to camera, (N, 3, 3): the offsets turn with the head in the image.

    Returns:
        (N, L, 2), image axes.
    """
    upright = np.tensordot(view_polynomial(directions), coefficients, axes=1)
    return np.asarray(upright @ _rolls(rotations).transpose(0, 2, 1))


def _rolls(rotations: Array) -> Float64:
    """Turns of the image that take an upright head's left to right to this head's: (N, 3, 3) -> (N, 2, 2)."""
    length = np.hypot(rotations[:, 0, 0], rotations[:, 1, 0])
    cosine, sine = (rotations[:, axis, 0] / length for axis in (0, 1))
    rows = [np.stack([cosine, -sine], axis=1), np.stack([sine, cosine], axis=1)]
    return np.asarray(np.stack(rows, axis=1), np.float64)
