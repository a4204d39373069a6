"""Which points lie inside a polygon."""

from __future__ import annotations

import numpy as np

from rendering.arrays import Array, Bool


def inside_polygon(points: Array, ring: Array) -> Bool:
    """Whether each point lies inside a closed ring, by the even-odd rule: (P, 2), (R, 2) -> (P,).

    The ring need not be convex and may run either way round. A point exactly on an edge counts to one of
    the two sides of that edge.
    """
    inside = np.zeros(len(points), bool)
    for (x0, y0), (x1, y1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        # A ray from the point towards +x changes sides at every edge that it crosses.
        crosses = (points[:, 1] < y0) != (points[:, 1] < y1)
        x = x0 + (points[:, 1] - y0) * (x1 - x0) / (y1 - y0 if y1 != y0 else 1.0)
        inside ^= crosses & (points[:, 0] < x)
    return inside
