"""Shading that the light does not explain: smooth over the face, another in each frame, and eliminated.

The face model's normals are not the person's, and nine harmonics are not the room. What they leave is smooth
over the skin and changes as the head turns, so it looks like a smaller turn of a deeper face: held against
a scan, brightness made the face 11 % too deep and its yaw 8 % too small. So they are unknowns of each frame,

    I(p_v) = gain_t albedo_v (Y(n_v) . light) (1 + sum_q pattern_vq c_tq) + noise,    c_tq ~ N(0, spread^2)

and are taken out in closed form. Motion is then told by what the skin carries along: texture finer than
a pattern.
"""

from __future__ import annotations

import numpy as np

from rendering.arrays import Float32, Float64


def smooth_patterns(points: Float64, count: int) -> Float32:
    """Gaussian bumps around evenly spread points, as wide as these lie apart: (K, 3) m -> (K, count)."""
    middle = int(np.linalg.norm(points - points.mean(axis=0), axis=1).argmin())
    centers, gap = [middle], np.linalg.norm(points - points[middle], axis=1)
    while len(centers) < count:
        centers.append(int(gap.argmax()))
        gap = np.minimum(gap, np.linalg.norm(points - points[centers[-1]], axis=1))
    distance = np.linalg.norm(points[:, None] - points[centers], axis=2)
    return np.asarray(np.exp(-0.5 * (distance / max(float(gap.max()), 1e-9)) ** 2), np.float32)


def explained_by_patterns(rows: Float32, patterns: Float32, *, precision: float) -> Float32:
    """What eliminating the patterns' coefficients takes from J'J: J'P (P'P + precision)^-1 P'J.

    Args:
        rows: weighted, the residual last, of some frames, (n, K, D + 1).
        patterns: P, weighted as the rows, (n, K, Q).
        precision: inverse variance of the coefficients.

    Returns:
        (n, D + 1, D + 1).
    """
    across = patterns.transpose(0, 2, 1)
    gram = np.matmul(across, patterns)
    index = np.arange(gram.shape[1])
    gram[:, index, index] += np.float32(precision)
    shared = np.matmul(across, rows)
    return np.asarray(np.matmul(shared.transpose(0, 2, 1), np.linalg.solve(gram, shared)), np.float32)
