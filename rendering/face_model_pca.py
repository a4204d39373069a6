"""What a face model source gives before it becomes native, and the PCA that takes it there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rendering.face_model import Float32, Int32

BLENDSHAPE_WEIGHT_RMS = 0.354
"""Root mean square of a blendshape weight w in [0, 1] ~ Beta(0.5, 1.5), as in talking faces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceShapes:
    """A linear model with any number of modes, in our axes and metres (rendering/face_model.py)."""

    mean: Float32
    """(V, 3) m."""
    triangles: Int32
    """(F, 3), counter-clockwise seen from outside."""
    identity: Float32
    """(I, V, 3) m, one standard deviation each, independent."""
    expression: Float32
    """(E, V, 3) m, one standard deviation each, independent; all zero is the neutral face."""
    skin: NDArray[np.bool_] | None
    """(F,) triangles that may be facial skin; None = take them from the face outline."""
    surface: NDArray[np.bool_]
    """(F,) triangles that may carry a landmark: not eyeballs, teeth or hair."""
    expression_weights: Float32 | None
    """(V,) weight of each vertex in the expression PCA; None = all equal."""
    albedo: Float32 | None
    """(V, 3) colour 0..1 where the source has one; None = painted for the landmark renders."""
    name: str
    provenance: str
    licence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReducedModes:
    """The leading modes of a linear model."""

    modes: Float32
    """(count, V, 3) m, one standard deviation each; zeros where the source has fewer modes."""
    energy_kept: float
    """Kept share of the (weighted) mean squared displacement, 0..1."""


def reduce_modes(modes: Float32, *, count: int, weights: Float32 | None = None) -> ReducedModes:
    """Uncentred PCA of independent unit-variance modes: (K, V, 3) -> (count, V, 3).

    The source's coefficients are N(0, 1); rotating them by the eigenvectors U of their weighted Gram
    matrix keeps them N(0, 1) and sorts them by energy, so the first `count` are the best linear
    summary. Uncentred, so that coefficient 0 stays the neutral face.
    """
    flat = np.asarray(modes, np.float64).reshape(len(modes), -1)
    scaled = flat if weights is None else flat * np.repeat(np.sqrt(weights, dtype=np.float64), 3)
    energies, vectors = np.linalg.eigh(scaled @ scaled.T)
    order = np.argsort(-energies, kind="stable")[:count]
    vectors = vectors[:, order]
    # An eigenvector's sign is arbitrary: its largest entry is made positive.
    signs = np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(len(order))])
    reduced = np.zeros((count, *modes.shape[1:]), np.float32)
    reduced[: len(order)] = ((vectors * signs).T @ flat).reshape(len(order), *modes.shape[1:])
    total = energies.sum()
    return ReducedModes(modes=reduced, energy_kept=float(energies[order].sum() / total) if total > 0 else 1.0)


def oriented_outwards(vertices: Float32, triangles: Int32) -> Int32:
    """The triangles, all turned over if most of their area faces inwards: (V, 3) m, (F, 3) -> (F, 3)."""
    corners = np.asarray(vertices, np.float64)[triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    outwards = (normals * (corners.mean(axis=1) - corners.mean(axis=(0, 1)))).sum()
    return np.ascontiguousarray(triangles if outwards >= 0 else triangles[:, ::-1])
