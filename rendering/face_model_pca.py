"""Face models as their sources give them, and the PCA that reduces them to the native number of modes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rendering.arrays import Bool, Float32, Int32

BLENDSHAPE_WEIGHT_RMS = 0.354
"""Root mean square of a blendshape weight ~ Beta(0.5, 1.5) in [0, 1], which is how talking faces use them."""


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
    skin: Bool | None
    """(F,), triangles that may be facial skin; None = they are derived from the face outline."""
    surface: Bool
    """(F,), triangles that may carry a landmark; False for eyeballs, teeth and hair."""
    expression_weights: Float32 | None
    """(V,), weight of each vertex in the expression PCA; None = all equal."""
    albedo: Float32 | None
    """(V, 3), colour 0..1 of the source; None = it has none and the landmark renders are painted."""
    name: str
    provenance: str
    licence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReducedModes:
    """The leading modes of a linear model."""

    modes: Float32
    """(count, V, 3) m, one standard deviation each; zeros where the source has fewer modes."""
    energy_kept: float
    """Share of the (weighted) mean squared displacement that the kept modes explain, 0..1."""


def reduce_modes(modes: Float32, *, count: int, weights: Float32 | None = None) -> ReducedModes:
    """Uncentred PCA of independent unit-variance modes: (K, V, 3) -> (count, V, 3).

    The source's coefficients are N(0, 1). Rotating them by the eigenvectors of the modes' weighted Gram
    matrix keeps them N(0, 1) and sorts them by energy, so that the first `count` are the best linear
    summary. The PCA is uncentred, so that coefficient 0 stays the neutral face.
    """
    flat = np.asarray(modes, np.float64).reshape(len(modes), -1)
    scaled = flat if weights is None else flat * np.repeat(np.sqrt(weights, dtype=np.float64), 3)
    energies, vectors = np.linalg.eigh(scaled @ scaled.T)
    order = np.argsort(-energies, kind="stable")[:count]
    vectors = vectors[:, order]
    # An eigenvector's sign is arbitrary: make its largest entry positive, so that results repeat.
    signs = np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(len(order))])
    reduced = np.zeros((count, *modes.shape[1:]), np.float32)
    reduced[: len(order)] = ((vectors * signs).T @ flat).reshape(len(order), *modes.shape[1:])
    total = energies.sum()
    return ReducedModes(modes=reduced, energy_kept=float(energies[order].sum() / total) if total > 0 else 1.0)


def oriented_outwards(vertices: Float32, triangles: Int32) -> Int32:
    """Triangles counter-clockwise seen from outside: (V, 3) m, (F, 3) -> (F, 3).

    All are turned over together if most of their area faces inwards.
    """
    corners = np.asarray(vertices, np.float64)[triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    outwards = (normals * (corners.mean(axis=1) - corners.mean(axis=(0, 1)))).sum()
    return np.ascontiguousarray(triangles if outwards >= 0 else triangles[:, ::-1])
